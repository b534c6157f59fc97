import array
import math

import pytest

from harness.rollout.listen import AudioFacts, listen, troubles_of
from harness.rollout.outcomes import AudioTrouble
from harness.rollout.rules import load_rules

RULES = load_rules().audio
RATE_HZ = 24_000


def tone(duration_s: float, *, peak: float) -> bytes:
    """A sine, cut where it would pass full scale."""
    samples = (
        max(-32_768, min(32_767, round(peak * 32_767 * math.sin(n / 7)))) for n in range(int(duration_s * RATE_HZ))
    )
    return array.array("h", samples).tobytes()


def heard(pcm: bytes, chars: int = 30) -> tuple[AudioTrouble, ...]:
    return troubles_of(listen(pcm, rate_hz=RATE_HZ), chars=chars, rules=RULES)


@pytest.mark.parametrize(
    ("pcm", "chars", "troubles"),
    [
        pytest.param(tone(2.0, peak=0.5), 30, (), id="as it should be"),
        pytest.param(tone(2.0, peak=1.0), 30, (), id="as loud as can be"),
        pytest.param(b"", 30, (AudioTrouble.EMPTY,), id="nothing"),
        pytest.param(b"\0", 30, (AudioTrouble.EMPTY,), id="half a sample"),
        pytest.param(bytes(96_000), 30, (AudioTrouble.SILENT,), id="digital silence"),
        pytest.param(tone(2.0, peak=0.002), 30, (AudioTrouble.SILENT,), id="next to silence"),
        pytest.param(tone(2.0, peak=3.0), 30, (AudioTrouble.CLIPPED,), id="cut off at full scale"),
        pytest.param(tone(0.25, peak=0.5), 30, (AudioTrouble.ABSURD_DURATION,), id="far too short"),
        pytest.param(tone(0.5, peak=0.5), 1, (), id="short for a short text"),
        pytest.param(tone(5.0, peak=0.5), 1, (), id="said at leisure"),
        pytest.param(tone(9.0, peak=0.5), 5, (AudioTrouble.ABSURD_DURATION,), id="endless"),
        pytest.param(bytes(9 * 48_000), 5, (AudioTrouble.SILENT, AudioTrouble.ABSURD_DURATION), id="endless silence"),
    ],
)
def test_what_no_listener_would_accept_is_found(pcm: bytes, chars: int, troubles: tuple[AudioTrouble, ...]) -> None:
    assert heard(pcm, chars) == troubles


def test_the_facts_are_in_their_units() -> None:
    facts = listen(tone(1.5, peak=0.5) + b"\1", rate_hz=RATE_HZ)

    assert facts.duration_s == 1.5
    assert facts.peak_db == pytest.approx(-6.02, abs=0.05)
    assert facts.clipped_share == 0.0
    assert listen(b"", rate_hz=RATE_HZ) == AudioFacts(duration_s=0.0, peak_db=-math.inf, clipped_share=0.0)


def test_the_most_negative_sample_is_full_scale() -> None:
    facts = listen(array.array("h", [-32_768] * 800).tobytes(), rate_hz=RATE_HZ)

    assert (facts.peak_db, facts.clipped_share) == (0.0, 1.0)
