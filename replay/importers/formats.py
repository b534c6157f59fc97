"""Which files are meant, which format each has, and its records as speech calls."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Final

from harness.errors import CaptureError, UsageError
from harness.providers.base import References
from replay.importers.applog import read_csv, read_jsonl
from replay.importers.endpoints import Endpoints
from replay.importers.exchanges import HttpExchange
from replay.importers.gor import read_gor
from replay.importers.gor_lines import read_kafka_lines, read_middleware_lines
from replay.importers.gor_records import SEPARATOR, GorRecords
from replay.importers.har import read_har
from replay.importers.jobs import Jobs
from replay.importers.mapped_calls import MappedRecords
from replay.importers.mapping import FieldMapping
from replay.importers.mitmproxy import read_mitmproxy
from replay.importers.native import read_native
from replay.importers.records import ForeignFormat, LeftOut, Place, Read, SpeechCall
from replay.importers.unpacking import MAX_RECORD_BYTES, Readable, open_unpacked
from replay.lines import LineFile

__all__ = ["Format", "detect", "find_files", "read_files"]

_HEAD_BYTES: Final = 64 * 1024
_GOR: Final = re.compile(rb"[0-9] [!-~]{1,64} [0-9]{1,19}( [0-9]{1,19})?\r?\n")
_GOR_HEX: Final = re.compile(rb"3[0-9]20(?:[2-7][0-9a-fA-F]){1,64}20(?:3[0-9]){1,19}(?:20(?:3[0-9]){1,19})?0a")
_GOR_JSON: Final = re.compile(rb'\s*\{\s*"Req_(?:URL|Type|ID|Ts|Method|Body|Headers)"\s*:')
_HAR: Final = re.compile(rb'\s*\{\s*"log"\s*:')
_TNETSTRING: Final = re.compile(rb"[0-9]{1,12}:")
_NATIVE: Final = re.compile(rb'\s*\{\s*"schema"\s*:\s*[0-9]+\s*,\s*"id"\s*:')
_NATIVE_IN_ANOTHER_ORDER: Final = re.compile(rb'\s*\{[^\n]*"schema"\s*:')
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_ROTATION: Final = re.compile(r"(.*)_([0-9]+)(\.[^0-9][^_]*)?")


class Format(StrEnum):
    """What `--format` takes."""

    AUTO = "auto"
    GOR = "gor"
    GOR_MIDDLEWARE = "gor-middleware"
    GOR_KAFKA = "gor-kafka"
    HAR = "har"
    MITMPROXY = "mitmproxy"
    LOG = "log"
    NATIVE = "native"


def find_files(names: Iterable[str]) -> list[Path]:
    """The files that names and patterns stand for: rotated ones in the order of their numbers, none twice.

    Raises:
        UsageError: A pattern matches nothing.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.exists() or not re.search(r"[*?\[]", name):
            found[path] = None
            continue
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        matches = sorted(anchor.glob(str(path.relative_to(path.anchor))), key=_natural)
        if not matches:
            raise UsageError(f"{name}: no file matches")
        found |= dict.fromkeys(matches)
    return list(found)


def _natural(path: Path) -> list[tuple[int, str]]:
    """`name_10` after `name_9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split("([0-9]+)", str(path))]


def detect(path: Path, mapping: FieldMapping | None) -> Format:
    """The format by how the file begins.

    Raises:
        CaptureError: It cannot be told, or the file cannot be read.
    """
    with open_unpacked(path) as source:
        head = source.read(_HEAD_BYTES)
    if head.startswith(_UTF16_MARKS):
        raise CaptureError(f"{path}: is UTF-16; convert it to UTF-8 with iconv")
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _GOR.match(head) or SEPARATOR in head:
        return Format.GOR
    if _GOR_HEX.match(head):
        return Format.GOR_MIDDLEWARE
    if _GOR_JSON.match(head):
        return Format.GOR_KAFKA
    if _HAR.match(head):
        return Format.HAR
    if _TNETSTRING.match(head):
        return Format.MITMPROXY
    if _NATIVE.match(head):
        return Format.NATIVE
    if mapping is not None and mapping.fields:
        return Format.LOG
    if _NATIVE_IN_ANOTHER_ORDER.match(head):
        return Format.NATIVE
    raise CaptureError(
        f"{path}: begins like no format known here; name it with --format, and for an application's own log give "
        "--mapping as well"
    )


def read_files(
    paths: Iterable[Path],
    format: Format,  # noqa: A002 - the option's own name
    mapping: FieldMapping | None,
    *,
    references: Iterable[tuple[Path, References]] = (),
) -> Iterator[Read]:
    """Every record of every file, once, in constant memory.

    Args:
        paths: The files in order; those of one .gor rotation follow each other.
        format: Their format, or `auto` to look at each.
        mapping: How an application's own records and endpoints are read.
        references: For files of our own format: folder → the recordings in it.

    Raises:
        CaptureError: A file cannot be read at all.
        UsageError: A log comes without its mapping.
    """
    endpoints, jobs = Endpoints(mapping), Jobs()
    stores = dict(references)
    for kind, group in _groups(paths, format, mapping):
        try:
            for place, found in _read(kind, group, mapping, endpoints, stores):
                if isinstance(found, HttpExchange):
                    yield from jobs.take(place, found, endpoints.call(found))
                else:
                    yield Read(place, found)
        except ForeignFormat as error:
            raise CaptureError(f"{', '.join(map(str, group))}: {error}") from None
    yield from jobs.rest()


def _groups(
    paths: Iterable[Path],
    format: Format,  # noqa: A002 - as above
    mapping: FieldMapping | None,
) -> Iterator[tuple[Format, list[Path]]]:
    """Files that are read as one: a rotation of .gor, any other file alone."""
    group: list[Path] = []
    for path in paths:
        kind = detect(path, mapping) if format is Format.AUTO else format
        if group and (kind is not Format.GOR or _family(path) != _family(group[0])):
            yield Format.GOR, group
            group = []
        if kind is Format.GOR:
            group.append(path)
        else:
            yield kind, [path]
    if group:
        yield Format.GOR, group


def _family(path: Path) -> str:
    match = _ROTATION.fullmatch(path.name)
    return str(path.with_name(f"{match[1]}{match[3] or ''}")) if match else str(path)


def _read(
    kind: Format,
    group: list[Path],
    mapping: FieldMapping | None,
    endpoints: Endpoints,
    stores: dict[Path, References],
) -> Iterator[tuple[Place, HttpExchange | SpeechCall | LeftOut]]:
    path = group[0]
    if kind is Format.GOR:
        records = chain.from_iterable(GorRecords(name, source) for name, source in _opened(group))
        yield from read_gor(records, wanted=endpoints.is_speech)
        return
    if kind in (Format.GOR_MIDDLEWARE, Format.GOR_KAFKA):
        read_lines = read_middleware_lines if kind is Format.GOR_MIDDLEWARE else read_kafka_lines
        packed = LineFile(path, max_line_bytes=2 * MAX_RECORD_BYTES)  # two digits a byte
        yield from read_gor(read_lines(path.name, packed), wanted=endpoints.is_speech)
        return
    if kind in (Format.HAR, Format.MITMPROXY):
        read_http = read_har if kind is Format.HAR else read_mitmproxy
        with open_unpacked(path) as source:
            yield from ((Place(path.name, n), found) for n, found in read_http(source, wanted=endpoints.is_speech))
        return
    lines = LineFile(path, max_line_bytes=MAX_RECORD_BYTES)
    if kind is Format.NATIVE:
        yield from ((Place(path.name, n), found) for n, found in read_native(lines, stores[path.parent]))
        return
    if mapping is None or not mapping.fields:
        raise UsageError(f"{path}: an application's own log needs --mapping FILE.toml with [fields]")
    read_log = read_csv if path.name.removesuffix(".zst").endswith((".csv", ".tsv")) else read_jsonl
    yield from ((Place(path.name, n), found) for n, found in read_log(lines, MappedRecords(mapping)))


def _opened(paths: Iterable[Path]) -> Iterator[tuple[str, Readable]]:
    """Each file open while it is read."""
    for path in paths:
        with open_unpacked(path) as source:
            yield path.name, source
