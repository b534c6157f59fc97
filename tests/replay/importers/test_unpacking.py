import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from harness.errors import CaptureError
from replay.importers.unpacking import open_unpacked, pieces

TEXT = b"1 abc 123\nPOST / HTTP/1.1\r\n" * 5_000
Pack = Callable[[bytes], bytes]
EVERY_PACKING = pytest.mark.parametrize(
    "pack", [gzip.compress, zlib.compress, zstandard.compress], ids=["gzip", "zlib", "zstd"]
)


def read(path: Path, **options: int) -> bytes:
    with open_unpacked(path, **options) as source:
        return b"".join(pieces(source, 1_000))


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(lambda data: data, id="plain"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lambda data: gzip.compress(data[:999]) + gzip.compress(data[999:]), id="gzip in two members"),
        pytest.param(zlib.compress, id="zlib, as .zhar"),
        pytest.param(zstandard.compress, id="zstd"),
        pytest.param(lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]), id="zstd in two frames"),
    ],
)
def test_a_packed_file_reads_like_a_plain_one_whatever_its_name(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "traffic.gor"
    path.write_bytes(pack(TEXT))

    assert read(path) == TEXT


def test_an_empty_file_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert read(tmp_path / "empty") == b""


@EVERY_PACKING
def test_packing_that_ends_too_early_is_said_and_not_passed_over(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "cut"
    path.write_bytes(pack(TEXT)[:-20])

    with pytest.raises(CaptureError, match="its compression ends too early; import what can be saved"):
        read(path)


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, zlib.compress, zstandard.ZstdCompressor(write_checksum=True).compress],
    ids=["gzip", "zlib", "zstd"],
)
def test_damaged_packing_is_said(tmp_path: Path, pack: Pack) -> None:
    packed = bytearray(pack(bytes(range(256)) * 50))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "damaged"
    path.write_bytes(bytes(packed))

    with pytest.raises(CaptureError, match="its compression (is damaged|ends too early)"):
        read(path)


@EVERY_PACKING
def test_a_compression_bomb_is_refused_long_before_it_is_unfolded(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(pack(bytes(50_000_000)))

    with pytest.raises(CaptureError, match="unfolds to more than 200 times its size"):
        read(path, bomb_from_bytes=1_000_000)


def test_a_file_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"none\.gor: there is no such file"):
        read(tmp_path / "none.gor")
    with pytest.raises(CaptureError, match="is a folder; name the files in it"):
        read(tmp_path)
