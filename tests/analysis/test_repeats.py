import numpy as np
import pytest

from analysis.audio import FloatArray
from analysis.repeats import find_repeat
from analysis.spectrum import Spectrum
from tests.analysis.sounds import a_noise, a_silence, a_tone, a_vowel, an_utterance


# Sounds that differ as words do: tones of changing pitch, each another path.
def babble(syllables: int, seed: int) -> FloatArray:
    """Sounds that differ as words do: a tone and an overtone, another pitch each syllable."""
    pitches_hz = np.random.default_rng(seed).uniform(200, 2_000, syllables)
    parts = [
        a_tone(float(hz), seconds=0.12) + a_tone(3.3 * float(hz), seconds=0.12, level_db=-26.0) for hz in pitches_hz
    ]
    return np.concatenate(parts) + a_noise(0.12 * syllables, level_db=-60.0, seed=seed)[: sum(map(len, parts))]


def score(*parts: FloatArray) -> float:
    found = find_repeat(Spectrum(np.concatenate(parts)).mfcc())
    assert found is not None
    return found


def correlation(mfcc: FloatArray, first: int, second: int, stretch: int) -> float:
    """The definition, in so many words."""
    one, other = (mfcc[1:, at : at + stretch] for at in (first, second))
    one, other = (part - part.mean(axis=1, keepdims=True) for part in (one, other))
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def test_the_score_is_the_highest_correlation_of_any_two_stretches() -> None:
    mfcc = Spectrum(babble(14, seed=1)).mfcc()
    stretch, least = 31, 12
    last = mfcc.shape[1] - stretch

    by_hand = max(
        correlation(mfcc, first, second, stretch)
        for first in range(last + 1)
        for second in range(first + least, last + 1)
    )

    assert find_repeat(mfcc) == pytest.approx(by_hand, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_sounds_said_again_score_near_one_and_new_ones_do_not(seed: int) -> None:
    sentence, more = babble(10, seed), babble(10, seed + 100)

    assert score(sentence, sentence[:12_000]) > 0.95
    assert score(sentence, a_silence(0.3), sentence) > 0.95
    assert score(sentence, more) < 0.85


def test_a_held_vowel_repeats_nothing() -> None:
    assert score(a_vowel(seconds=3.0)) < 0.5


def test_gain_leaves_it() -> None:
    sentence = babble(16, seed=2)

    assert score(sentence * np.float32(0.25)) == pytest.approx(score(sentence), abs=0.02)


def test_less_than_a_second_has_no_room_for_a_repeat() -> None:
    assert find_repeat(Spectrum(an_utterance(1, word_s=0.9)).mfcc()) is None


def test_a_loop_later_than_eight_seconds_is_not_looked_for() -> None:
    first, second = babble(8, seed=3), babble(8, seed=4)
    between = np.concatenate([babble(10, seed) for seed in range(10, 18)])

    assert score(first, between, first) < 0.9 < score(first, second, first)
