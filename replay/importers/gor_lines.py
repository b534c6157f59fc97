"""GoReplay records as lines: in hexadecimal, as its middleware passes them, or as JSON, as it gives them to Kafka.

The same records as in a file of its own, without separators (capture-formats.md 1). JSON holds no status, so a reply
there tells nothing.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final

from replay.importers.gor_records import GorRecord, record_of
from replay.importers.http_message import WANTED
from replay.importers.json_body import load_object
from replay.importers.records import LeftOut, Place, Skipped, Unusable
from replay.lines import Line, LineFile

__all__ = ["read_kafka_lines", "read_middleware_lines"]

_WORD: Final = re.compile(r"[!-~]{1,4096}")
_NUMBER: Final = re.compile("[0-9]{1,19}")
_FIELD: Final = re.compile(r"[^\r\n\x00]{0,8192}")


def read_middleware_lines(name: str, lines: LineFile) -> Iterator[tuple[Place, GorRecord | LeftOut]]:
    """The record in every line of hexadecimal digits."""
    for line in lines:
        place = Place(name, line.number)
        try:
            yield place, record_of(place, binascii.unhexlify(_whole(line)))
        except binascii.Error:
            yield place, Unusable("the line is not in hexadecimal digits")
        except LeftOut as reason:
            yield place, reason


def read_kafka_lines(name: str, lines: LineFile) -> Iterator[tuple[Place, GorRecord | LeftOut]]:
    """The record in every line of JSON."""
    for line in lines:
        place = Place(name, line.number)
        try:
            yield place, _from_json(place, _whole(line))
        except LeftOut as reason:
            yield place, reason


def _whole(line: Line) -> bytes:
    if not line.is_whole:
        raise Unusable(f"the line has {line.size_bytes} bytes, more than the {len(line.data)} that are read")
    data = line.data.strip()
    if not data:
        raise Skipped("a blank line")
    return data


def _from_json(place: Place, data: bytes) -> GorRecord:
    message = load_object(data, what="the line")
    kind, identity, timestamp = (_text(message, name) for name in ("Req_Type", "Req_ID", "Req_Ts"))
    if len(kind) != 1 or not _WORD.fullmatch(identity) or not _NUMBER.fullmatch(timestamp):
        raise Unusable("the line lacks Req_Type, Req_ID or Req_Ts")
    raw = _request(message) if kind == "1" else b""
    return GorRecord(place, kind, identity, int(timestamp), None, raw, 0)


def _request(message: Mapping[str, object]) -> bytes:
    """The request as it was on the wire, of its fields the few that are of use."""
    method, target, headers = _text(message, "Req_Method"), _text(message, "Req_URL"), message.get("Req_Headers")
    if not _WORD.fullmatch(method) or not _WORD.fullmatch(target):
        raise Unusable("this is no HTTP request")
    head = [f"{method} {target} HTTP/1.1"]
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if name.lower() in WANTED:
            if not isinstance(value, str) or not _FIELD.fullmatch(value):
                raise Unusable("the HTTP head holds a malformed field")
            head.append(f"{name}: {value}")
    body = _text(message, "Req_Body").encode("utf-8", "surrogatepass")
    return "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body


def _text(message: Mapping[str, object], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""
