import pytest

from harness.providers.qwen_models import ModelFamily, family_of, is_realtime, system_voices


@pytest.mark.parametrize(
    ("model", "family", "realtime"),
    [
        ("qwen3-tts-flash", ModelFamily.SYSTEM, False),
        ("qwen3-tts-flash-2025-09-18", ModelFamily.SYSTEM, False),
        ("qwen3-tts-instruct-flash", ModelFamily.SYSTEM, False),
        ("qwen3-tts-flash-realtime", ModelFamily.SYSTEM, True),
        ("qwen3-tts-instruct-flash-realtime-2026-01-22", ModelFamily.SYSTEM, True),
        ("qwen3-tts-vc-2026-01-22", ModelFamily.CLONE, False),
        ("qwen3-tts-vc-realtime-2026-01-15", ModelFamily.CLONE, True),
        ("qwen3-tts-vd-2026-01-26", ModelFamily.DESIGN, False),
        ("qwen3-tts-vd-realtime-2025-12-16", ModelFamily.DESIGN, True),
        ("qwen-tts-latest", ModelFamily.SYSTEM, False),
        ("qwen-tts-realtime", ModelFamily.SYSTEM, True),
        ("qwen4-tts-flash", None, None),
    ],
)
def test_a_models_name_tells_its_voices_and_protocol_or_nothing(
    model: str, family: ModelFamily | None, realtime: bool | None
) -> None:
    assert (family_of(model), is_realtime(model)) == (family, realtime)


@pytest.mark.parametrize(
    ("model", "count", "there", "not_there"),
    [
        ("qwen3-tts-flash", 49, "Radio Gol", "Uncle Fu"),
        ("qwen3-tts-flash-realtime", 49, "Jada", "alloy"),
        ("qwen3-tts-instruct-flash", 26, "Cherry", "Jennifer"),
        ("qwen-tts", 7, "Sunny", "Vivian"),
    ],
)
def test_each_model_has_the_voices_that_were_listed(model: str, count: int, there: str, not_there: str) -> None:
    voices = system_voices(model)

    assert voices is not None
    assert len(voices) == count
    assert there in voices
    assert not_there not in voices


def test_models_of_made_voices_and_unknown_ones_have_no_list() -> None:
    assert [system_voices(model) for model in ("qwen3-tts-vc-2026-01-22", "qwen4-tts-flash")] == [None, None]
