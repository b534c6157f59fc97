import numpy as np
import pytest
import soxr

from analysis.models.error_rate import error_rate
from analysis.models.whisper import RATE_HZ, Whisper
from harness.emulators.timbres import CAST
from harness.emulators.voices import Line, Rendition, speak
from harness.errors import UsageError
from tests.analysis.models.smallest import REAL_MODELS, real

TEXT = "We will call you back tomorrow in the morning."


def test_without_the_library_a_sentence_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faster_whisper", None)

    with pytest.raises(UsageError, match=r"faster_whisper .*voice-cutover\[intelligibility]"):
        Whisper(REAL_MODELS / "whisper")


@real("whisper")
@pytest.mark.parametrize("language", ["en", None, "xx"])
def test_the_real_model_hears_what_was_said(language: str | None) -> None:
    pytest.importorskip("faster_whisper", reason="faster_whisper is not installed")
    line = Line(text=TEXT, language="en", timbre=CAST["alto"], rendition=Rendition.HOSTED, take=1)
    y = np.asarray(soxr.resample(speak(line), 24_000, RATE_HZ), np.float32)

    transcript = Whisper(REAL_MODELS / "whisper").transcribe(y, language)

    rate = error_rate(TEXT, transcript.text, "en")
    assert rate is not None
    assert rate.share <= 0.25
    assert transcript.language == "en"
