"""Application logs in JSONL or CSV, read through a mapping file."""

import csv
from collections.abc import Iterator
from typing import Final

from replay.importers.json_body import load_object
from replay.importers.mapped_calls import MappedRecords
from replay.importers.records import ForeignFormat, LeftOut, Skipped, SpeechCall, Unusable
from replay.lines import Line, LineFile

__all__ = ["read_csv", "read_jsonl"]

Found = tuple[int, SpeechCall | LeftOut]

_DELIMITERS: Final = ",;\t|"
# A quoted field may hold line breaks; one quote too many must not swallow the rest of the file.
csv.field_size_limit(1024 * 1024)


def read_jsonl(lines: LineFile, records: MappedRecords) -> Iterator[Found]:
    """Every line with its number; lines that are no JSON objects, as a stack trace, are skipped."""
    for line in lines:
        try:
            yield line.number, _call(line, records)
        except LeftOut as reason:
            yield line.number, reason


def _call(line: Line, records: MappedRecords) -> SpeechCall:
    _refuse_cut(line)
    data = line.data.strip()
    if not data:
        raise Skipped("a blank line")
    if not data.startswith(b"{"):
        raise Skipped("not a JSON object")
    record = load_object(data, what="the line")
    return records.call(record, key=str(line.number))


def _refuse_cut(line: Line) -> None:
    if not line.is_whole:
        raise Unusable(f"the line has {line.size_bytes} bytes, more than the {len(line.data)} that are read")


def read_csv(lines: LineFile, records: MappedRecords) -> Iterator[Found]:
    """Every row below the header with the number of its last line; a bad row does not end the reading.

    Raises:
        ForeignFormat: The header is no row.
    """
    feed = _Feed(lines)
    rows = csv.reader(feed, delimiter=feed.delimiter, strict=True)
    try:
        header = next(rows, [])
    except csv.Error:
        raise ForeignFormat("the header row is no sound CSV; is this another format?") from None
    while True:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error:
            yield feed.number, Unusable("the row is no sound CSV")
        else:
            yield from feed.cut
            feed.cut.clear()
            yield feed.number, _row_call(header, row, records, feed.number)
    yield from feed.cut


def _row_call(header: list[str], row: list[str], records: MappedRecords, number: int) -> SpeechCall | LeftOut:
    if not row:
        return Skipped("a blank line")
    if len(row) != len(header):
        return Unusable(f"the row has {len(row)} fields, the header {len(header)}")
    try:
        return records.call(dict(zip(header, row, strict=True)), key=str(number))
    except LeftOut as reason:
        return reason


class _Feed:
    """The lines as the csv module wants them. A line that is too long is kept back with its number."""

    def __init__(self, lines: LineFile) -> None:
        self.number = 0
        self.cut: list[Found] = []
        self._lines = iter(lines)
        self._first = next(self._lines, None)
        head = self._first.data if self._first else b""
        self.delimiter = max(_DELIMITERS, key=lambda one: head.count(one.encode()))

    def __iter__(self) -> Iterator[str]:
        if self._first is not None:
            yield from self._text(self._first)
        for line in self._lines:
            yield from self._text(line)

    def _text(self, line: Line) -> Iterator[str]:
        self.number = line.number
        try:
            _refuse_cut(line)
        except Unusable as reason:
            self.cut.append((line.number, reason))
            return
        # Bytes that are no UTF-8 become lone surrogates, which no capture takes: only rows that need them suffer.
        yield line.data.decode("utf-8", "surrogateescape") + "\n"
