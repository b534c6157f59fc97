import base64
import io
import struct

import numpy as np
import pytest
import soundfile

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.reference import Recording, data_url, enrolment_problem, load_recording
from harness.speech import Reference, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_voice
from tests.harness.providers.stubs import a_wav


def tone(seconds: float) -> np.ndarray:
    return 0.3 * np.sin(np.arange(int(24_000 * seconds)) * 0.05)


def paused(pause_s: float) -> np.ndarray:
    return np.concatenate([tone(2.0), np.zeros(int(24_000 * pause_s)), tone(2.0)])


def as_wav(samples: np.ndarray, *, form: str = "WAV", subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 24_000, format=form, subtype=subtype)
    return file.getvalue()


def a_recording(data: bytes) -> Recording:
    return Recording(data=data, encoded=base64.b64encode(data).decode(), transcript="Hello.")


async def test_a_recording_is_read_from_the_store_by_its_hash(references: BlobStore) -> None:
    sha256 = references.put(a_wav(), "wav")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="Hello."))

    recording = await load_recording(references, voice)

    assert isinstance(recording, Recording)
    assert base64.b64decode(recording.encoded) == recording.data == a_wav()
    assert recording.transcript == "Hello."


async def test_a_recording_that_cannot_be_had_is_told_with_why(references: BlobStore) -> None:
    sha256 = references.put(a_wav(), "wav")
    references.path(sha256, "wav").write_bytes(b"something else")
    damaged = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript=None))

    failures = [
        await load_recording(references, voice)
        for voice in (a_voice(VoiceKind.CLONE, reference=None), a_voice(VoiceKind.CLONE), damaged)
    ]

    assert [(failure.kind, failure.code) for failure in failures if isinstance(failure, Failure)] == [
        (ErrorKind.UNSUPPORTED, "local.no_reference"),
        (ErrorKind.BAD_REFERENCE, "local.reference_missing"),
        (ErrorKind.BAD_REFERENCE, "local.reference_damaged"),
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(a_wav(3.0), None, id="fine"),
        pytest.param(a_wav(3.0, rate_hz=48_000), None, id="higher rate"),
        pytest.param(a_wav(60.0), None, id="as long as allowed"),
        pytest.param(b"\0\0\0\x20ftypM4A ", None, id="m4a, which only the provider can judge"),
        pytest.param(a_wav(3.0, rate_hz=16_000), "local.reference_rate", id="rate too low"),
        pytest.param(a_wav(60.1), "local.reference_length", id="too long"),
        pytest.param(a_wav(2.9), "local.reference_speech", id="too short"),
        pytest.param(a_wav(0.5, silence_s=9.0), "local.reference_speech", id="mostly silence"),
        pytest.param(a_wav(10.0, level=0), "local.reference_speech", id="nothing but silence"),
        pytest.param(as_wav(paused(1.9)), None, id="a pause that is short enough"),
        pytest.param(as_wav(paused(2.1)), "local.reference_speech", id="a pause that is too long"),
        pytest.param(as_wav(tone(4.0), subtype="PCM_24"), "local.reference_format", id="24 bit"),
        pytest.param(as_wav(tone(4.0), subtype="FLOAT"), "local.reference_format", id="floating point"),
        pytest.param(as_wav(np.stack([tone(4.0)] * 2, axis=1)), "local.reference_channels", id="stereo"),
        pytest.param(as_wav(tone(4.0), form="MP3", subtype="MPEG_LAYER_III"), None, id="mp3"),
        pytest.param(as_wav(tone(0.0)), "local.reference_speech", id="no sample"),
        pytest.param(a_wav(150.0, rate_hz=27_000), "local.reference_too_large", id="too large"),
        pytest.param(b"OggS\0\2", "local.reference_format", id="ogg"),
        pytest.param(b"<html>", "local.reference_format", id="page"),
        pytest.param(b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"fmt ", 3), "local.reference_undecodable", id="stump"),
    ],
)
async def test_a_recording_that_qwen_would_refuse_is_refused_before_it_is_sent(data: bytes, code: str | None) -> None:
    problem = await enrolment_problem(a_recording(data))

    assert (problem.code if problem else None) == code
    assert problem is None or problem.kind is ErrorKind.BAD_REFERENCE


@pytest.mark.parametrize(
    ("data", "mime"),
    [(a_wav(0.1), "audio/wav"), (b"ID3\4\0", "audio/mpeg"), (b"\0\0\0\x20ftypM4A ", "audio/mp4")],
)
def test_a_data_url_names_the_kind_of_audio(data: bytes, mime: str) -> None:
    assert data_url(a_recording(data)) == f"data:{mime};base64,{base64.b64encode(data).decode()}"
