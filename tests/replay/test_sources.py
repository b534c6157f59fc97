import base64
import hashlib
import json
import random
import stat
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.capture import capture_to_json
from harness.errors import CaptureError, UsageError
from harness.exchanges import Capture
from harness.speech import Operation
from harness.store.blobs import BlobStore
from replay.sources import CaptureFile, read_captures, select
from tests.builders import NOON, a_capture, a_request

GOOD = capture_to_json(a_capture("good")).encode()


def a_file(folder: Path, *lines: bytes, name: str = "captures.jsonl", end: bytes = b"\n") -> Path:
    path = folder / name
    path.write_bytes(b"".join(line + end for line in lines))
    return path


def a_line(id: str) -> bytes:  # noqa: A002 - the field's own name
    return capture_to_json(a_capture(id)).encode()


def ids(file: CaptureFile) -> list[str]:
    return [capture.id for capture in file]


def set_aside(file: CaptureFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.quarantine.read_text().splitlines()]


def test_captures_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    captures = [a_capture(id) for id in ("c", "a", "b")]  # noqa: A001 - the field's own name
    file = read_captures(a_file(tmp_path, *(capture_to_json(capture).encode() for capture in captures)))

    assert list(file) == captures
    assert file.counts == (3, 0, 0)
    assert not file.quarantine.exists()


def test_a_compressed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    plain = a_file(tmp_path, a_line("a"), a_line("b"))
    packed = tmp_path / "captures.jsonl.zst"
    packed.write_bytes(zstandard.compress(plain.read_bytes()))
    file = read_captures(packed)

    assert list(file) == list(read_captures(plain))
    assert file.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_a_byte_order_mark_and_crlf_are_no_trouble(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"\xef\xbb\xbf" + a_line("a"), a_line("b"), b"", end=b"\r\n")
    file = read_captures(path)

    assert ids(file) == ["a", "b"]
    assert file.counts == (2, 0, 1)


def test_a_bad_line_is_set_aside_with_its_number_and_reason_and_the_others_go_on(tmp_path: Path) -> None:
    bad = b'{"schema": 1, "id": "x", "txt": "hello"} \xff'
    file = read_captures(a_file(tmp_path, a_line("a"), b"", bad, a_line("b")), quarantine=tmp_path / "aside")

    assert ids(file) == ["a", "b"]
    assert file.counts == (2, 1, 1)
    assert file.quarantine == tmp_path / "aside" / "captures.jsonl.quarantine.jsonl"
    (record,) = set_aside(file)
    assert (record["line"], record["bytes"], record["whole"]) == (3, len(bad), True)
    assert record["reason"].startswith("no JSON: ")
    assert base64.b64decode(record["raw"]) == bad
    assert record["sha256"] == hashlib.sha256(bad).hexdigest()
    assert stat.S_IMODE(file.quarantine.stat().st_mode) == 0o600


def test_a_clean_reading_takes_an_older_quarantine_file_away(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"bad")
    broken = read_captures(path)
    assert ids(broken) == []
    assert broken.quarantine.exists()

    a_file(tmp_path, GOOD)
    list(read_captures(path))

    assert not broken.quarantine.exists()


def test_a_line_over_the_cap_is_set_aside_by_its_beginning_and_hash(tmp_path: Path) -> None:
    long = GOOD.replace(b"Good morning.", b"a" * 5000)
    file = CaptureFile(a_file(tmp_path, long, a_line("b")), quarantine=tmp_path, max_line_bytes=1000)

    assert ids(file) == ["b"]
    (record,) = set_aside(file)
    assert record["reason"] == f"the line has {len(long)} bytes, more than the 1000 allowed"
    assert base64.b64decode(record["raw"]) == long[:1000]
    assert record["sha256"] == hashlib.sha256(long).hexdigest()
    assert record["whole"] is False


def test_the_same_line_twice_counts_once(tmp_path: Path) -> None:
    file = read_captures(a_file(tmp_path, GOOD, a_line("b"), GOOD + b"  \r"))

    assert ids(file) == ["good", "b"]
    assert file.counts == (2, 0, 1)


def test_an_id_with_other_content_is_set_aside_naming_the_first_line(tmp_path: Path) -> None:
    file = read_captures(a_file(tmp_path, b"", GOOD, GOOD.replace(b"morning", b"evening"), GOOD))

    assert ids(file) == ["good"]
    assert file.counts == (1, 1, 2)
    assert [record["reason"] for record in set_aside(file)] == ["the id stands on line 2 too, with other content"]


def test_an_id_of_a_bad_line_stays_free(tmp_path: Path) -> None:
    file = read_captures(a_file(tmp_path, GOOD.replace(b'"en"', b'"EN"'), GOOD))

    assert ids(file) == ["good"]


def test_reading_again_gives_the_same_captures_and_counts(tmp_path: Path) -> None:
    file = read_captures(a_file(tmp_path, GOOD, GOOD, b"bad"))

    assert list(file) == list(file)
    assert file.counts == (1, 1, 1)
    assert len(set_aside(file)) == 1


def test_counts_reconcile_at_every_capture_on_the_way(tmp_path: Path) -> None:
    file = read_captures(a_file(tmp_path, b"bad", a_line("a"), b"", a_line("a"), a_line("b")))

    lines = [file.counts.lines for _ in file]

    assert lines == [2, 5]


def test_reference_recordings_lie_beside_the_file(tmp_path: Path) -> None:
    sha256 = BlobStore(tmp_path / "audio").put(b"RIFF", "wav")

    assert read_captures(a_file(tmp_path, GOOD)).references.get(sha256, "wav") == b"RIFF"


def test_an_empty_file_holds_no_captures(tmp_path: Path) -> None:
    file = read_captures(a_file(tmp_path))

    assert ids(file) == []
    assert file.counts.lines == 0


def test_a_file_that_cannot_be_read_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"none\.jsonl: there is no such capture file"):
        read_captures(tmp_path / "none.jsonl")
    with pytest.raises(CaptureError, match="is UTF-16"):
        list(read_captures(a_file(tmp_path, GOOD.decode().encode("utf-16"), end=b"")))


def test_a_quarantine_that_cannot_be_written_stops_the_reading_before_a_line_is_lost(tmp_path: Path) -> None:
    occupied = tmp_path / "aside"
    occupied.write_text("a file where the folder should be")

    with pytest.raises(CaptureError, match="bad lines cannot be written here"):
        list(read_captures(a_file(tmp_path, b"bad"), quarantine=occupied))


Mutation = Callable[[random.Random, bytes], bytes]


POISONS = [
    *(b"\x00", b"\xff", b"\\ud800", b"\\u0000", b"NaN", b"1e999"),
    *(b"[" * 999, b'{"a":' * 999, b"9" * 5000),
]


def _flip(dice: random.Random, line: bytes) -> bytes:
    at = dice.randrange(len(line))
    return line[:at] + bytes([line[at] ^ 1 << dice.randrange(8)]) + line[at + 1 :]


def _insert(dice: random.Random, line: bytes) -> bytes:
    at = dice.randrange(len(line))
    piece = dice.choice(
        [b"\x00", b"\xff", b"\\ud800", b"\\u0000", b"NaN", b"1e999", b"[" * 999, b'{"a":' * 999, b"9" * 5000]
    )
    return line[:at] + piece + line[at:]


def _replace_value(dice: random.Random, line: bytes) -> bytes:
    key, value = dice.choice(list(json.loads(line))), dice.choice(["null", "true", "-1", '""', "[]", "{}", '"\\ud800"'])
    record = json.loads(line) | {key: "@@"}
    return json.dumps(record).replace('"@@"', value).encode()


MUTATIONS: list[Mutation] = [
    _flip,
    _insert,
    _replace_value,
    lambda dice, line: line[: dice.randrange(len(line))],
    lambda dice, line: line[dice.randrange(len(line)) :],
    lambda _, line: line + line,
    lambda _, line: line[:-1] + b',"id":"other"}',
    lambda _, line: line.decode().encode("utf-16"),
    lambda _, line: line,
    lambda _, line: b" ",
    lambda dice, _: dice.randbytes(80),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
@example(0)
def test_mutated_lines_never_crash_the_reader_and_every_line_is_accounted_for(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    lines = [dice.choice(MUTATIONS)(dice, a_line(f"c{number % 20}")) for number in range(30)]
    path = a_file(tmp_path, GOOD, *lines)
    file = read_captures(path)

    captures = list(file)

    written = path.read_bytes().count(b"\n")
    assert file.counts.lines == written
    assert file.counts.good == len(captures)
    assert file.counts.quarantined == (len(set_aside(file)) if file.quarantine.exists() else 0)
    for capture in captures:
        capture_to_json(capture).encode()  # what got in can be stored: no lone surrogate, no NaN


def some_captures(**counts: int) -> list[Capture]:
    operations = [operation for operation in Operation for _ in range(counts.get(operation, 0))]
    captures = [
        a_capture(f"c{number}", request=a_request(operation=operation), captured_at=NOON + timedelta(minutes=number))
        for number, operation in enumerate(operations)
    ]
    random.Random(7).shuffle(captures)
    return captures


def test_without_a_limit_all_captures_come_by_their_time() -> None:
    captures = some_captures(generate=5, clone=5)

    assert [capture.id for capture in select(captures)] == [f"c{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("limit", "there", "expected"),
    [
        pytest.param(20, (40, 40, 40), (7, 7, 6), id="dealt out in turn"),
        pytest.param(3, (40, 40, 40), (1, 1, 1), id="one each"),
        pytest.param(1, (40, 40, 40), (1, 0, 0), id="a single one"),
        pytest.param(20, (40, 2, 40), (9, 2, 9), id="what one lacks goes to the others"),
        pytest.param(20, (40, 0, 0), (20, 0, 0), id="one operation alone"),
        pytest.param(20, (2, 3, 4), (2, 3, 4), id="fewer than the limit"),
    ],
)
def test_a_limit_is_spread_over_the_operations(
    limit: int, there: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    chosen = select(some_captures(generate=there[0], clone=there[1], design=there[2]), limit)

    drawn = Counter(capture.request.operation for capture in chosen)
    assert tuple(drawn[operation] for operation in Operation) == expected
    assert chosen == sorted(chosen, key=lambda capture: capture.captured_at)


def test_a_selection_depends_on_the_seed_and_on_nothing_else() -> None:
    captures = some_captures(generate=40, clone=40, design=40)

    assert select(captures, 20, seed=1) == select(captures[::-1], 20, seed=1)
    assert select(captures, 20, seed=1) != select(captures, 20, seed=2)


def test_a_larger_limit_keeps_what_a_smaller_one_chose() -> None:
    captures = some_captures(generate=40, clone=40, design=40)

    assert {capture.id for capture in select(captures, 9)} < {capture.id for capture in select(captures, 30)}


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="--limit is 0"):
        select([], 0)
