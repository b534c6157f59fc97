import gzip
import hashlib
import os
import random
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import CaptureError
from replay.lines import LineFile


def a_file(folder: Path, data: bytes, name: str = "lines.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def texts(file: LineFile) -> list[bytes]:
    return [line.data for line in file]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a\nb\n", [b"a", b"b"], id="two lines"),
        pytest.param(b"a\nb", [b"a", b"b"], id="the last line without its end"),
        pytest.param(b"a\r\n\r\nb\r\n", [b"a\r", b"\r", b"b\r"], id="CRLF is left to the reader"),
        pytest.param(b"\n\n", [b"", b""], id="blank lines count"),
        pytest.param(b"\xef\xbb\xbfa\nb", [b"a", b"b"], id="byte order mark"),
        pytest.param(b"\xef\xbb\xbf", [], id="nothing but a byte order mark"),
        pytest.param("ä\u2028ü\n".encode(), ["ä\u2028ü".encode()], id="a line separator of Unicode ends no line"),
        pytest.param(b"a\n\xff\n", [b"a", b"\xff"], id="one line that is not UTF-8"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "zstd"])
def test_every_line_comes_with_its_number(tmp_path: Path, data: bytes, expected: list[bytes], packed: bool) -> None:
    path = a_file(tmp_path, zstandard.compress(data) if packed else data)

    lines = list(LineFile(path))

    assert [line.data for line in lines] == expected
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))
    assert all(line.is_whole and line.size_bytes == len(line.data) for line in lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.binary(max_size=300).map(lambda line: line.replace(b"\n", b"")), max_size=40), st.integers(1, 200))
def test_lines_longer_than_the_cap_keep_their_beginning_size_and_hash(
    tmp_path: Path, lines: list[bytes], cap: int
) -> None:
    path = a_file(tmp_path, b"".join(line + b"\n" for line in [b"text" * 9999, *lines]))

    read = list(LineFile(path, max_line_bytes=cap))[1:]

    assert [line.data for line in read] == [line[:cap] for line in lines]
    assert [line.size_bytes for line in read] == [len(line) for line in lines]
    for line, original in zip(read, lines, strict=True):
        assert line.sha256 == (hashlib.sha256(original).hexdigest() if len(original) > cap else None)


def test_a_cap_holds_over_many_chunks(tmp_path: Path) -> None:
    giant = random.Random(1).randbytes(300_000).replace(b"\n", b".")
    path = a_file(tmp_path, b"first\n" + giant + b"\nlast")

    first, middle, last = LineFile(path, max_line_bytes=1000)

    assert (first.data, last.data) == (b"first", b"last")
    assert (middle.data, middle.size_bytes, middle.is_whole) == (giant[:1000], len(giant), False)
    assert middle.sha256 == hashlib.sha256(giant).hexdigest()


def test_zstd_is_known_by_its_magic_whatever_the_name_and_frames_may_follow_each_other(tmp_path: Path) -> None:
    data = b"".join(b"line %d\n" % number for number in range(5000))
    path = a_file(tmp_path, zstandard.compress(data[:9999]) + zstandard.compress(data[9999:]), "lines.jsonl")

    assert b"".join(text + b"\n" for text in texts(LineFile(path))) == data


def test_the_hash_is_of_the_bytes_on_disk_and_known_at_the_end(tmp_path: Path) -> None:
    packed = zstandard.compress(b"a\nb\n")
    file = LineFile(a_file(tmp_path, packed))
    assert file.sha256 is None

    lines = iter(file)
    next(lines)
    assert file.sha256 is None
    list(lines)

    assert file.sha256 == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        pytest.param("a.jsonl.zst", b"{}\n", "is named .zst and is not compressed with zstd", id="plain under .zst"),
        pytest.param("a.zst", b"", "is named .zst and is not compressed with zstd", id="empty under .zst"),
        pytest.param("a.jsonl", gzip.compress(b"{}\n"), "is compressed with gzip", id="gzip"),
        pytest.param("a.zst", zstandard.compress(os.urandom(9000))[:5000], "ends too early", id="cut zstd"),
        pytest.param("a.zst", zstandard.compress(b"a\n")[:3] + b"\x00" * 9, "not compressed with zstd", id="bad magic"),
        pytest.param("a.zst", zstandard.compress(b"a\n") + b"rubbish!", "compression is damaged", id="zstd and more"),
        pytest.param("a.jsonl", '{"a": 1}\n'.encode("utf-16"), "is UTF-16", id="UTF-16 with mark"),
        pytest.param("a.jsonl", '{"a": 1}\n'.encode("utf-16-le"), "is UTF-16", id="UTF-16 little-endian"),
        pytest.param("a.jsonl", '{"a": 1}\n'.encode("utf-16-be"), "is UTF-16", id="UTF-16 big-endian"),
        pytest.param("a.jsonl", '{"a": 1}\n'.encode("utf-32"), "UTF-32", id="UTF-32"),
        pytest.param("a.jsonl", b"\xff\xd8\xff\xe0\x80\n\x81\x82\n", "holds no UTF-8 text", id="a picture"),
    ],
)
def test_a_file_that_holds_no_lines_is_refused_in_one_sentence(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = a_file(tmp_path, data, name)

    with pytest.raises(CaptureError, match=message) as caught:
        list(LineFile(path))

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="there is no such capture file"):
        LineFile(tmp_path / "none.jsonl")
    with pytest.raises(CaptureError, match="is a folder"):
        LineFile(tmp_path)


def test_a_head_cut_within_a_character_is_still_text(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"a" + "é".encode() * 100_000)

    assert [line.size_bytes for line in LineFile(path)] == [200_001]


@pytest.mark.parametrize("unit", [b"x", b"\n"], ids=["one line", "lines only"])
def test_a_bomb_of_64_mib_in_some_kilobytes_costs_little_memory(tmp_path: Path, unit: bytes) -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    packed = b"".join(compressor.compress(unit * 2**20) for _ in range(64)) + compressor.flush()
    path = a_file(tmp_path, packed)
    assert len(packed) < 20_000

    tracemalloc.start()
    lines = sum(1 for line, _ in zip(LineFile(path), range(10), strict=False) if line)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert lines == (1 if unit == b"x" else 10)
    assert peak_bytes < 24 * 2**20
