import hashlib

import pytest

from replay.importers.records import Unusable
from replay.importers.reference_audio import inline_recording, recording_of
from tests.traffic import a_wav, b64


def test_audio_is_known_by_its_hash_and_read_when_asked_for() -> None:
    recording = recording_of(a_wav())

    assert (recording.sha256, recording.read()) == (hashlib.sha256(a_wav()).hexdigest(), a_wav())


@pytest.mark.parametrize("prefix", ["", "data:audio/wav;base64,", "data:audio/mpeg;codecs=x;base64,", "data:;base64,"])
def test_base64_and_data_urls_hold_audio(prefix: str) -> None:
    recording = inline_recording(prefix + b64(a_wav()))

    assert recording is not None
    assert recording.read() == a_wav()


@pytest.mark.parametrize(
    "value", [None, "", "https://files.example/anna.wav", "oss://bucket/anna.wav", "FILE:///a.wav"]
)
def test_an_address_is_not_followed(value: str | None) -> None:
    assert inline_recording(value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("not base64!", "the base64 of the reference audio is damaged"),
        ("data:audio/wav;base64,AAA", "the base64 of the reference audio is damaged"),
        (b64(b"<html>"), "the reference audio is no audio known here"),
    ],
)
def test_what_is_no_audio_is_unusable(value: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        inline_recording(value)
