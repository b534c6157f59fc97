import base64
import io
import re

import numpy as np
import pytest
import soundfile
import soxr

from harness.emulators.audio import RATE_HZ, decode_recording, encode
from harness.emulators.qwen_reference import hear
from harness.emulators.qwen_wire import Refusal
from harness.emulators.timbres import CAST
from tests.harness.emulators.callers import LONG_ENOUGH, a_recording, samples_of


def a_data_url(data: bytes, mime: str = "audio/wav") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def at(rate_hz: int, wav: bytes) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, soxr.resample(samples_of(wav), RATE_HZ, rate_hz), rate_hz, format="WAV")
    return file.getvalue()


def repeated(wav: bytes, times: int, *, pause_s: float = 0.0, share: float = 1.0) -> bytes:
    samples = samples_of(wav)
    part = np.concatenate((samples[: int(share * len(samples))], np.zeros(int(pause_s * RATE_HZ), dtype=np.float32)))
    return encode(np.tile(part, times), extension="wav", rate_hz=RATE_HZ)


def refusal_of(data: object) -> tuple[int, str]:
    with pytest.raises(Refusal) as refusal:
        hear(data, None)
    return refusal.value.status, refusal.value.code


@pytest.mark.parametrize("timbre", CAST)
def test_a_recording_is_heard_as_who_spoke_it(timbre: str) -> None:
    assert hear(a_data_url(a_recording(timbre)), LONG_ENOUGH) == (CAST[timbre], None)


def test_an_mp3_is_heard_too(wav: bytes) -> None:
    mp3 = encode(samples_of(wav), extension="mp3", rate_hz=48_000)

    assert hear(a_data_url(mp3, "audio/mpeg"), None).timbre.name == "alto"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(None, "InvalidParameter", id="nothing"),
        pytest.param(7, "InvalidParameter", id="a number"),
        pytest.param("data:audio/wav;base64," + "A" * (10 << 20), "InvalidParameter", id="beyond 10 MB"),
        pytest.param("https://example.com/a.wav", "BadRequest.InputDownloadFailed", id="an address"),
        pytest.param("UklGRg==", "BadRequest.UnsupportedFileFormat", id="bare base64"),
        pytest.param(a_data_url(b"", "text/plain"), "BadRequest.UnsupportedFileFormat", id="a text"),
        pytest.param(a_data_url(b"", "audio/ogg"), "BadRequest.UnsupportedFileFormat", id="Ogg"),
        pytest.param("data:audio/wav;base64,%%%", "Audio.DecoderError", id="no base64"),
        pytest.param(a_data_url(b"RIFF but no more"), "Audio.DecoderError", id="no audio"),
    ],
)
def test_what_is_no_recording_is_refused_by_its_code(data: object, code: str) -> None:
    assert refusal_of(data) == (400, code)


def test_a_low_sample_rate_is_refused(wav: bytes) -> None:
    assert refusal_of(a_data_url(at(16_000, wav))) == (400, "Audio.AudioRateError")


def test_a_high_sample_rate_is_heard(wav: bytes) -> None:
    assert hear(a_data_url(at(48_000, wav)), None).timbre.name == "alto"


def test_more_than_a_minute_is_refused(wav: bytes) -> None:
    assert refusal_of(a_data_url(repeated(wav, 15))) == (400, "Audio.DurationLimitError")


@pytest.mark.parametrize("share", [pytest.param(0.5, id="two seconds"), pytest.param(0.0, id="silence")])
def test_too_little_speech_is_refused(wav: bytes, share: float) -> None:
    assert refusal_of(a_data_url(repeated(wav, 1, share=share, pause_s=5.0))) == (400, "Audio.PreprocessError")


def test_short_pauses_do_not_break_the_speech_and_long_ones_do(wav: bytes) -> None:
    assert hear(a_data_url(repeated(wav, 2, share=0.45, pause_s=1.5)), None).timbre.name == "alto"
    assert refusal_of(a_data_url(repeated(wav, 3, share=0.45, pause_s=2.5))) == (400, "Audio.PreprocessError")


@pytest.mark.parametrize(
    ("transcript", "fallback"),
    [
        (None, None),
        (LONG_ENOUGH, None),
        ("Hm.", "no_valid_asr_segments"),
        (LONG_ENOUGH * 5, "no_valid_asr_segments"),
    ],
)
def test_a_transcript_of_something_else_degrades_the_voice(
    wav: bytes, transcript: str | None, fallback: str | None
) -> None:
    assert hear(a_data_url(wav), transcript).fallback == fallback


def test_the_recording_of_these_tests_is_long_enough_to_tell(wav: bytes) -> None:
    assert 3.5 < decode_recording(wav).duration_s < 5.0
    assert re.fullmatch(r"[\w ,.]+", LONG_ENOUGH)
