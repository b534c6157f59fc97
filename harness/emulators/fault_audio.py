"""What can be wrong with the bytes of a WAV file whose reply is otherwise good: our own, with 44 bytes of head."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["AUDIO_FAULTS"]

_HEAD_BYTES: Final = 44
_RATE_AT, _BYTE_RATE_AT, _RIFF_SIZE_AT, _DATA_SIZE_AT = 24, 28, 4, 40
_UNKNOWN: Final = 0xFFFF_FFFF  # what encoders write that cannot go back to the head


def _patched(wav: bytes, fields: Mapping[int, int]) -> bytes:
    patched = bytearray(wav)
    for offset, value in fields.items():
        struct.pack_into("<I", patched, offset, value)
    return bytes(patched)


def _at_half_the_rate(wav: bytes) -> bytes:
    """The head says half the rate: played as written it is slow and low."""
    rate_hz = int(struct.unpack_from("<I", wav, _RATE_AT)[0]) // 2
    return _patched(wav, {_RATE_AT: rate_hz, _BYTE_RATE_AT: 2 * rate_hz})


def _of_unknown_length(wav: bytes) -> bytes:
    return _patched(wav, {_RIFF_SIZE_AT: _UNKNOWN, _DATA_SIZE_AT: _UNKNOWN})


def _of_no_length(wav: bytes) -> bytes:
    return _patched(wav, {_RIFF_SIZE_AT: 0, _DATA_SIZE_AT: 0})


def _halved(wav: bytes) -> bytes:
    """Half of the samples; the head still promises all of them."""
    return wav[: _HEAD_BYTES + (len(wav) - _HEAD_BYTES) // 4 * 2]


def _silenced(wav: bytes) -> bytes:
    return wav[:_HEAD_BYTES] + bytes(len(wav) - _HEAD_BYTES)


def _corrupted(wav: bytes) -> bytes:
    """The magic numbers are gone, the length is right."""
    return bytes(byte ^ 0x5A for byte in wav[:_HEAD_BYTES]) + wav[_HEAD_BYTES:]


def _emptied(wav: bytes) -> bytes:
    return _patched(wav[:_HEAD_BYTES], {_RIFF_SIZE_AT: 36, _DATA_SIZE_AT: 0})


AUDIO_FAULTS: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {
        "wav-corrupt": _corrupted,
        "wav-cut": _halved,
        "wav-half-rate": _at_half_the_rate,
        "wav-head-only": _emptied,
        "wav-no-length": _of_no_length,
        "wav-odd": lambda wav: wav + b"\x00",
        "wav-silent": _silenced,
        "wav-unknown-length": _of_unknown_length,
        "audio-empty": lambda wav: b"",
    }
)
