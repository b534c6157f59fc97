from pathlib import Path
from typing import Any

from replay.importers.applog import read_csv, read_jsonl
from replay.importers.mapped_calls import MappedRecords
from replay.importers.mapping import load_mapping
from replay.importers.records import LeftOut
from replay.lines import LineFile

MAPPING = '[fields]\ncaptured_at = "ts"\ntext = "text"\nvoice.id = "voice"\n'
GOOD = '{"ts": "2025-11-23T12:00:00Z", "text": "Hello", "voice": "Vivian"}'


def records(folder: Path) -> MappedRecords:
    path = folder / "mapping.toml"
    path.write_text(MAPPING)
    return MappedRecords(load_mapping(path))


def outcomes(read: Any, folder: Path, data: str | bytes, *, max_line_bytes: int = 10**6) -> list[tuple[int, str]]:
    path = folder / "app.log"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    found = read(LineFile(path, max_line_bytes=max_line_bytes), records(folder))
    return [(number, one.reason if isinstance(one, LeftOut) else one.text) for number, one in found]


def test_lines_of_json_among_others_are_read(tmp_path: Path) -> None:
    data = f"{GOOD}\n\nTraceback (most recent call last):\n{GOOD[:-9]}\n{GOOD}\n"

    assert outcomes(read_jsonl, tmp_path, data) == [
        (1, "Hello"),
        (2, "a blank line"),
        (3, "not a JSON object"),
        (4, "the line is no sound JSON"),
        (5, "Hello"),
    ]


def test_a_line_that_is_too_long_is_unusable_and_the_next_one_read(tmp_path: Path) -> None:
    found = outcomes(read_jsonl, tmp_path, f'{{"a": "{"x" * 500}"}}\n{GOOD}\n', max_line_bytes=200)

    assert found == [(1, "the line has 509 bytes, more than the 200 that are read"), (2, "Hello")]


def test_rows_are_read_by_their_header(tmp_path: Path) -> None:
    data = "\ufeffts,text,voice\n2025-11-23T12:00:00Z,Hello,Vivian\n2025-11-23T12:00:01Z,Bye,Vivian\n"

    assert outcomes(read_csv, tmp_path, data) == [(2, "Hello"), (3, "Bye")]


def test_other_delimiters_are_seen_in_the_header(tmp_path: Path) -> None:
    assert outcomes(read_csv, tmp_path, "ts;text;voice\n2025-11-23T12:00:00Z;Hello, you;Vivian\n") == [
        (2, "Hello, you")
    ]


def test_a_quoted_text_may_go_over_several_lines(tmp_path: Path) -> None:
    data = 'ts,text,voice\n2025-11-23T12:00:00Z,"Hello,\n""you""",Vivian\n2025-11-23T12:00:00Z,Bye,Vivian\n'

    assert outcomes(read_csv, tmp_path, data) == [(3, 'Hello,\n"you"'), (4, "Bye")]


def test_a_bad_row_does_not_end_the_reading(tmp_path: Path) -> None:
    data = 'ts,text,voice\na,b\n\n2025-11-23T12:00:00Z,"a"b,Vivian\n2025-11-23T12:00:00Z,Bye,Vivian\n'

    assert outcomes(read_csv, tmp_path, data) == [
        (2, "the row has 2 fields, the header 3"),
        (3, "a blank line"),
        (4, "the row is no sound CSV"),
        (5, "Bye"),
    ]


def test_a_quote_that_is_never_closed_does_not_swallow_the_memory(tmp_path: Path) -> None:
    rows = "2025-11-23T12:00:00Z,Bye,Vivian\n" * 40_000
    found = outcomes(read_csv, tmp_path, f'ts,text,voice\n2025-11-23T12:00:00Z,"open,Vivian\n{rows}')

    assert found[0][1] == "the row is no sound CSV"
    assert found[-1] == (40_002, "Bye")
    assert len(found) > 5_000


def test_bytes_that_are_no_text_hurt_only_their_own_row(tmp_path: Path) -> None:
    data = b"ts,text,voice\n2025-11-23T12:00:00Z,\xff,Vivian\n2025-11-23T12:00:00Z,Bye,Vivian\n"

    assert outcomes(read_csv, tmp_path, data)[1] == (3, "Bye")


def test_a_row_that_is_too_long_is_counted_even_at_the_end(tmp_path: Path) -> None:
    found = outcomes(read_csv, tmp_path, f"ts,text,voice\na,{'x' * 500},b\n", max_line_bytes=100)

    assert found == [(2, "the line has 504 bytes, more than the 100 that are read")]


def test_an_empty_file_holds_no_row(tmp_path: Path) -> None:
    assert outcomes(read_csv, tmp_path, "") == []
