import io
import wave

import numpy as np
import pytest

from harness.emulators.audio import encode_wav
from harness.emulators.fault_audio import AUDIO_FAULTS

WAV = encode_wav(np.linspace(-0.5, 0.5, 24_000, dtype=np.float32))


def header(wav: bytes) -> tuple[int, int]:
    """Rate and number of frames, as the head has it."""
    with wave.open(io.BytesIO(wav)) as file:
        return file.getframerate(), file.getnframes()


@pytest.mark.parametrize("name", AUDIO_FAULTS)
def test_every_fault_changes_the_file(name: str) -> None:
    assert AUDIO_FAULTS[name](WAV) != WAV


def test_a_cut_file_still_promises_the_whole() -> None:
    cut = AUDIO_FAULTS["wav-cut"](WAV)

    assert header(cut) == (24_000, 24_000)
    assert len(cut) - 44 == 24_000


def test_half_the_rate_is_only_said() -> None:
    slow = AUDIO_FAULTS["wav-half-rate"](WAV)

    assert header(slow) == (12_000, 24_000)
    assert slow[44:] == WAV[44:]


@pytest.mark.parametrize(("name", "size"), [("wav-unknown-length", 0xFFFF_FFFF), ("wav-no-length", 0)])
def test_a_wrong_length_stands_in_both_places(name: str, size: int) -> None:
    wav = AUDIO_FAULTS[name](WAV)

    assert int.from_bytes(wav[4:8], "little") == int.from_bytes(wav[40:44], "little") == size
    assert wav[44:] == WAV[44:]


def test_a_head_alone_is_a_file_without_samples() -> None:
    assert header(AUDIO_FAULTS["wav-head-only"](WAV)) == (24_000, 0)


def test_a_silent_file_is_as_long() -> None:
    silent = AUDIO_FAULTS["wav-silent"](WAV)

    assert header(silent) == header(WAV)
    assert not any(silent[44:])


def test_a_corrupt_file_is_no_wav() -> None:
    with pytest.raises(wave.Error):
        header(AUDIO_FAULTS["wav-corrupt"](WAV))


def test_an_odd_file_ends_within_a_sample_and_an_empty_one_at_once() -> None:
    assert len(AUDIO_FAULTS["wav-odd"](WAV)) % 2 == 1
    assert AUDIO_FAULTS["audio-empty"](WAV) == b""
