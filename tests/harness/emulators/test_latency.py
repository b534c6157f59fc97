from random import Random

import pytest

from harness.emulators.latency import DEPLOYMENTS, QWEN_SPEECH, Latency, deployment, stall_s
from harness.errors import UsageError

LEGACY = DEPLOYMENTS["Qwen3-TTS-12Hz-1.7B-Base"].latency


@pytest.mark.parametrize(
    ("model", "chars", "measured_s"),
    [
        ("Qwen3-TTS-12Hz-1.7B-Base", 56, 14.6),
        ("Qwen3-TTS-12Hz-1.7B-Base", 800, 113.0),
        ("Qwen3-TTS-12Hz-1.7B-Base", 2_600, 5.8 * 60),  # "about 5.5 min"
        ("Qwen3-TTS-12Hz-0.6B-Base", 56, 11.1),
        ("Qwen3-TTS-12Hz-0.6B-Base", 800, 87.6),
    ],
)
def test_medians_are_what_was_measured(model: str, chars: int, measured_s: float) -> None:
    assert deployment(model).latency.median_s(chars) == pytest.approx(measured_s, rel=0.02)


def test_draws_spread_around_the_median_as_the_quantile_says() -> None:
    latency, random = Latency(base_s=1.0, per_char_s=0.01, spread=0.3), Random(1)
    draws = sorted(latency.draw_s(100, random) for _ in range(4_000))

    assert draws[2_000] == pytest.approx(latency.median_s(100), rel=0.03)
    assert draws[3_800] == pytest.approx(latency.quantile_s(100, 0.95), rel=0.04)


@pytest.mark.parametrize("chars", [5, 56, 600])
def test_the_hosted_service_is_far_faster_than_the_legacy_path(chars: int) -> None:
    assert QWEN_SPEECH.quantile_s(chars, 0.95) < LEGACY.quantile_s(chars, 0.05) / 2


@pytest.mark.parametrize("seed", range(5))
def test_with_a_quarter_of_calls_stalled_the_candidate_takes_over_twice_as_long_as_the_control(seed: int) -> None:
    random = Random(seed)
    lengths = [min(362, max(6, int(random.lognormvariate(3.6, 0.7)))) for _ in range(800)]  # as in the demo's captures
    control = sorted(LEGACY.draw_s(chars, random) for chars in lengths)
    candidate = sorted(
        stall_s(chars, random) if random.random() < 0.25 else QWEN_SPEECH.draw_s(chars, random) for chars in lengths
    )

    assert candidate[760] > 2 * control[760]


def test_a_model_nobody_measured_is_refused_with_those_that_were() -> None:
    with pytest.raises(UsageError, match=r"'tiny'; choose one of Qwen3-TTS-12Hz-1\.7B-Base, "):
        deployment("tiny")
