"""Files that a provider, a proxy or a broken disk could hand us as audio, each with the outcome it must have.

All are made here, so what is wrong with each is written down; none is taken from anywhere.
"""

import gzip
import io
import struct
import wave
import zipfile
from typing import NamedTuple

import numpy as np

from harness.errors import ErrorKind
from harness.exchanges import OK
from tests.analysis.sounds import a_file, a_noise, a_silence, a_tone, an_utterance, with_declared_length

BAD, EMPTY, CUT, LARGE = (
    kind.value for kind in (ErrorKind.BAD_AUDIO, ErrorKind.EMPTY_AUDIO, ErrorKind.TRUNCATED_AUDIO, ErrorKind.TOO_LARGE)
)
SPEECH = an_utterance(3)
WAV, FLAC, MP3, OPUS = (a_file(SPEECH, kind=kind) for kind in ("WAV", "FLAC", "MP3", "OGG"))
VORBIS = a_file(SPEECH, kind="OGG", subtype="VORBIS")
RANDOM = np.random.default_rng(60).bytes(20_000)


class Hostile(NamedTuple):
    what: str
    data: bytes
    outcome: str


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def floats(value: float, *, every: int = 1_000) -> bytes:
    samples = SPEECH.copy()
    samples[::every] = value
    return a_file(samples, subtype="FLOAT")


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4 if size is None else size) + b"WAVE" + body


def wav_format(
    tag: int = 1, channels: int = 1, rate_hz: int = 16_000, bits: int = 16, align: int | None = None
) -> bytes:
    align = channels * bits // 8 if align is None else align
    return struct.pack("<HHIIHH", tag, channels, rate_hz, (rate_hz * align) & 0xFFFFFFFF, align & 0xFFFF, bits)


def stereo_wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes((np.repeat(SPEECH, 2) * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("speech.wav", WAV)
    return file.getvalue()


PCM = WAV[44:]
FMT = (b"fmt ", wav_format())
DATA = (b"data", PCM)
# STREAMINFO: 4 bytes of magic, 4 of block header, then block sizes, frame sizes, rate and channels, total samples.
FLAC_RATE, FLAC_TOTAL = 18, 22

CORPUS = (
    # no audio at all
    Hostile("no bytes", b"", EMPTY),
    Hostile("one byte", b"R", BAD),
    Hostile("zeros", bytes(5_000), BAD),
    Hostile("random bytes", RANDOM, BAD),
    Hostile("samples without a header", PCM, BAD),
    Hostile("a page of a proxy", b"<!DOCTYPE html><html><title>502 Bad Gateway</title></html>", BAD),
    Hostile("an expired address", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', BAD),
    Hostile("an error in JSON", b'{"code": "Throttling.RateQuota", "message": "..."}', BAD),
    Hostile("a list in JSON", b"[]", BAD),
    Hostile("plain words", b"Internal Server Error\n", BAD),
    Hostile("a data URL", b"data:audio/wav;base64,UklGRg==", BAD),
    Hostile("WAV in gzip", gzip.compress(WAV, mtime=0), BAD),
    Hostile("WAV in a zip", zipped(), BAD),
    Hostile("a picture", b"\x89PNG\r\n\x1a\n" + RANDOM[:500], BAD),
    Hostile("a program", b"\x7fELF" + RANDOM[:500], BAD),
    Hostile("M4A", b"\0\0\0\x20ftypM4A \0\0\0\0" + RANDOM[:500], BAD),
    Hostile("WebM", b"\x1aE\xdf\xa3" + RANDOM[:500], BAD),
    Hostile("AAC", b"\xff\xf1\x50\x80\x02\x1f\xfc" + RANDOM[:500], BAD),
    Hostile("AIFF", b"FORM\0\0\x10\0AIFF" + RANDOM[:500], BAD),
    Hostile("AU", b".snd" + struct.pack(">5I", 24, len(PCM), 3, 16_000, 1) + PCM, BAD),
    # WAV cut
    Hostile("RIFF and no more", b"RIFF", BAD),
    Hostile("WAV, half its header", WAV[:30], CUT),
    Hostile("WAV, header only", WAV[:44], CUT),
    Hostile("WAV, one sample short", WAV[:-2], CUT),
    Hostile("WAV, half of it", WAV[: len(WAV) // 2], CUT),
    Hostile("WAV, its tail overwritten by an error", WAV[: len(WAV) // 2] + b"<html>timeout</html>", CUT),
    # WAV that lies
    Hostile("WAV of 4 GB by its header", with_declared_length(WAV, 0xFFFF_FFFF), OK),
    Hostile("WAV of no length by its header", with_declared_length(WAV, 0), OK),
    Hostile("WAV longer than it says", with_declared_length(WAV, 2_000), OK),
    Hostile("WAV of 1 GB by its header", with_declared_length(WAV, 1 << 30), CUT),
    Hostile("WAV of 65,535 channels", riff((b"fmt ", wav_format(channels=65_535)), DATA), BAD),
    Hostile("WAV of no channel", riff((b"fmt ", wav_format(channels=0, align=2)), DATA), BAD),
    Hostile("WAV of rate zero", riff((b"fmt ", wav_format(rate_hz=0)), DATA), BAD),
    Hostile("WAV of rate one", riff((b"fmt ", wav_format(rate_hz=1)), DATA), BAD),
    Hostile("WAV of rate 4 GHz", riff((b"fmt ", wav_format(rate_hz=0xFFFF_FFFF)), DATA), BAD),
    Hostile("WAV of zero bits", riff((b"fmt ", wav_format(bits=0, align=2)), DATA), BAD),
    Hostile("WAV of an unknown codec", riff((b"fmt ", wav_format(tag=0x7777)), DATA), BAD),
    Hostile("WAV, samples before format", riff(DATA, FMT), BAD),
    Hostile("WAV, no format", riff(DATA), BAD),
    Hostile("WAV, no samples chunk", riff(FMT), CUT),
    Hostile("WAV, a format of four bytes", riff((b"fmt ", b"\x01\0\x01\0"), DATA), BAD),
    Hostile("WAV behind a chunk of 4 GB", riff(FMT)[:36] + b"JUNK\xff\xff\xff\xff" + PCM, CUT),
    Hostile("WAV with a thousand chunks before", riff(FMT, *[(b"JUNK", b"ab")] * 1_000, DATA), OK),
    Hostile("AVI", b"RIFF\x20\0\0\0AVI " + RANDOM[:100], BAD),
    Hostile("stereo of twice the same", stereo_wav(), OK),
    # samples that are none
    Hostile("NaN", floats(float("nan")), BAD),
    Hostile("infinity", floats(float("inf")), BAD),
    Hostile("negative infinity, once", floats(float("-inf"), every=len(SPEECH)), BAD),
    Hostile("largest float", floats(3.4e38), BAD),
    Hostile("integers as floats", a_file(SPEECH * 32_768, subtype="FLOAT"), BAD),
    Hostile("smallest floats", a_file(np.full(16_000, 1e-42, np.float32), subtype="FLOAT"), EMPTY),
    # sound that is no speech
    Hostile("WAV of no samples", a_file(SPEECH[:0]), EMPTY),
    Hostile("one sample", a_file(SPEECH[:1]), EMPTY),
    Hostile("digital silence", a_file(a_silence(1.0)), EMPTY),
    Hostile("a constant", a_file(np.full(16_000, 0.5, np.float32)), EMPTY),
    Hostile("a quiet room", a_file(a_noise(level_db=-75.0)), EMPTY),
    Hostile("a blip", a_file(a_tone(seconds=0.05)), EMPTY),
    # bombs
    Hostile(
        "FLAC of eleven minutes in 90 kB", a_file(a_silence(660.0, rate_hz=8_000), rate_hz=8_000, kind="FLAC"), LARGE
    ),
    Hostile("Opus of eleven minutes", a_file(a_silence(660.0, rate_hz=8_000), rate_hz=8_000, kind="OGG"), LARGE),
    Hostile("WAV of eleven minutes", a_file(a_silence(660.0, rate_hz=8_000), rate_hz=8_000, subtype="PCM_U8"), LARGE),
    # other containers, cut and lying
    Hostile("FLAC, magic only", b"fLaC", BAD),
    Hostile("FLAC, half of it", FLAC[: len(FLAC) // 2], CUT),
    Hostile("FLAC of a day by its header", patched(FLAC, FLAC_TOTAL, struct.pack(">I", 1 << 31)), CUT),
    Hostile("FLAC of rate zero", patched(FLAC, FLAC_RATE, b"\0\0\0"), BAD),
    # It opens well and then breaks off: nobody can tell that from a file that was cut.
    Hostile("FLAC, random behind its header", FLAC[:100] + RANDOM[:3_000], CUT),
    Hostile("MP3, half of it", MP3[: len(MP3) // 2], CUT),
    Hostile("MP3, tags only", b"ID3\x04\0\0\0\0\x7f\x7f" + bytes(200), CUT),
    Hostile("MP3, a frame header and zeros", b"\xff\xfb\x90\x64" + bytes(400), BAD),
    Hostile("Opus, half of it", OPUS[: len(OPUS) // 2], CUT),
    Hostile("Opus, last page missing", OPUS[: OPUS.rfind(b"OggS")], CUT),
    Hostile("Ogg, magic only", b"OggS", CUT),
    Hostile("Vorbis, half of it", VORBIS[: len(VORBIS) // 2], CUT),
    Hostile("Vorbis, its codebooks overwritten", patched(VORBIS, 200, RANDOM[:2_000]), BAD),
)
