import pytest

from harness.emulators.account import Account
from harness.emulators.qwen_wire import Refusal
from harness.emulators.realtime_session import SessionConfig, configured

FIRST = SessionConfig(model="qwen3-tts-flash-realtime")


def test_it_begins_as_documented() -> None:
    assert FIRST.wire("sess_x") == {
        "object": "realtime.session",
        "mode": "server_commit",
        "model": "qwen3-tts-flash-realtime",
        "voice": "",
        "response_format": "pcm",
        "sample_rate": 24_000,
        "id": "sess_x",
    }


def test_what_is_not_asked_for_stays() -> None:
    first = configured(FIRST, {"voice": "Ethan", "volume": 30}, Account(None))

    second = configured(first, {"speech_rate": 2}, Account(None))

    assert (second.voice, second.volume, second.speech_rate) == ("Ethan", 30, 2.0)
    assert second.timbre == first.timbre is not None


@pytest.mark.parametrize(
    "asked",
    [{"voice": ""}, {"voice": 5}, {"speech_rate": 0.4}, {"pitch_rate": True}, {"volume": "50"}, {"language_type": 3}],
)
def test_an_impossible_value_is_refused_by_name(asked: dict[str, object]) -> None:
    with pytest.raises(Refusal, match=next(iter(asked))):
        configured(FIRST, {"voice": "Cherry", **asked}, Account(None))
