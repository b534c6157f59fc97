import sys

import numpy as np
import pytest
import soxr

from analysis.models.distillmos import RATE_HZ, DistillMos
from harness.emulators.timbres import CAST
from harness.emulators.voices import Line, Rendition, speak
from harness.errors import UsageError
from tests.analysis.sounds import a_noise


def test_without_pytorch_a_sentence_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(UsageError, match=r"torch .*voice-cutover\[naturalness]"):
        DistillMos()


def test_the_real_network_prefers_a_clean_voice_to_a_noisy_one() -> None:
    pytest.importorskip("torch", reason="torch is not installed: extra naturalness", exc_type=ImportError)
    pytest.importorskip("distillmos", reason="distillmos is not installed: extra naturalness", exc_type=ImportError)
    network = DistillMos()
    line = Line(
        text="We will call you back tomorrow in the morning.",
        language="en",
        timbre=CAST["alto"],
        rendition=Rendition.HOSTED,
        take=1,
    )
    clean = np.asarray(soxr.resample(speak(line), 24_000, RATE_HZ), np.float32)
    noise = a_noise(len(clean) / RATE_HZ, level_db=20 * np.log10(clean.std()) - 5)

    noisy, better = (network.score(y)["naturalness"] for y in (clean + noise[: len(clean)], clean))

    assert 1.0 <= noisy + 0.3 < better <= 5.0
