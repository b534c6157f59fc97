import json
from pathlib import Path
from typing import Any

import pytest

from replay.importers.formats import Format, detect, read_files
from replay.importers.gor_lines import read_kafka_lines, read_middleware_lines
from replay.importers.gor_records import SEPARATOR, GorRecord
from replay.importers.records import LeftOut, SpeechCall
from replay.lines import LineFile
from tests.traffic import NOON_NS, a_body, a_wav, gor, http_reply, http_request

ID = "c5a0d2f7" * 3


def as_hex(record: bytes) -> bytes:
    """As goreplay passes a record to its middleware: without separator."""
    return record.removesuffix(SEPARATOR).hex().encode() + b"\n"


def as_json(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "Req_URL": "/generate",
        "Req_Type": "1",
        "Req_ID": ID,
        "Req_Ts": str(NOON_NS),
        "Req_Method": "POST",
        "Req_Body": json.dumps(a_body()),
        "Req_Headers": {"Host": "legacy.internal", "Content-Type": "application/json", "Cookie": "session=secret"},
    }
    return json.dumps(fields | changes).encode() + b"\n"


def a_file(folder: Path, data: bytes) -> Path:
    path = folder / "traffic"
    path.write_bytes(data)
    return path


def calls(path: Path, format: Format = Format.AUTO) -> list[SpeechCall]:  # noqa: A002 - the option's own name
    outcomes = [read.outcome for read in read_files([path], format, None)]
    return [outcome for outcome in outcomes if isinstance(outcome, SpeechCall)]


def reasons(path: Path, format: Format) -> list[str]:  # noqa: A002 - as above
    outcomes = [read.outcome for read in read_files([path], format, None)]
    return [outcome.reason for outcome in outcomes if isinstance(outcome, LeftOut)]


def test_what_middleware_saw_reads_like_the_file(tmp_path: Path) -> None:
    request = gor(http_request(a_body(text="Hello")), identity=ID)
    reply = gor(http_reply(a_wav(2.0)), kind=2, identity=ID, at_ns=NOON_NS + 10**9, latency_ns=10**9)
    path = a_file(tmp_path, as_hex(request) + as_hex(reply))

    (call,) = calls(path)

    assert detect(path, None) is Format.GOR_MIDDLEWARE
    assert (call.text, call.captured_at) == ("Hello", "2025-11-23T12:00:00+00:00")
    assert call.observed == {"provider": "modal", "status": "ok", "first_byte_s": 1.0, "total_s": 2.0, "audio_s": 2.0}


def test_what_went_to_kafka_reads_like_the_file_as_far_as_it_goes(tmp_path: Path) -> None:
    reply = as_json(Req_Type="2", Req_URL="200", Req_Method="HTTP/1.1", Req_Body="RIFF", Req_Ts=str(NOON_NS + 10**9))
    path = a_file(tmp_path, as_json() + b"\n" + reply)

    (call,) = calls(path)

    assert detect(path, None) is Format.GOR_KAFKA
    assert (call.text, call.voice_id, call.observed) == ("Good morning.", "Vivian", None)
    assert sorted(reasons(path, Format.GOR_KAFKA)) == ["a blank line", "a reply"]


def test_of_the_headers_only_those_of_use_are_taken(tmp_path: Path) -> None:
    ((_, record),) = read_kafka_lines("k", LineFile(a_file(tmp_path, as_json())))

    assert isinstance(record, GorRecord)
    assert b"legacy.internal" in record.data
    assert b"session" not in record.data


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(as_json(Req_Type=1), "the line lacks Req_Type, Req_ID or Req_Ts", id="a number for a type"),
        pytest.param(as_json(Req_ID="a b"), "the line lacks Req_Type, Req_ID or Req_Ts", id="a blank in the id"),
        pytest.param(as_json(Req_Ts="soon"), "the line lacks Req_Type, Req_ID or Req_Ts", id="no time"),
        pytest.param(as_json(Req_Method="POST / HTTP/1.1\r\nX: y"), "this is no HTTP request", id="head in a method"),
        pytest.param(as_json(Req_URL="/generate\r\nHost: evil"), "this is no HTTP request", id="head in an address"),
        pytest.param(
            as_json(Req_Headers={"Host": "a\r\nContent-Length: 3"}),
            "the HTTP head holds a malformed field",
            id="head in a head",
        ),
        pytest.param(as_json(Req_Headers={"Host": 7}), "the HTTP head holds a malformed field", id="no text in a head"),
        pytest.param(
            as_json(Req_Headers={"Content-Length": "999"}), "the body is cut short: 69 of 999 bytes are there"
        ),
        pytest.param(as_json(Req_Body="\ud800"), "the body is not UTF-8", id="half a character"),
        pytest.param(b'{"Req_URL": ' + b"[" * 5_000 + b"\n", "the line is JSON nested too deep", id="deep JSON"),
        pytest.param(b'{"Req_URL": 1\n', "the line is no sound JSON", id="cut JSON"),
    ],
)
def test_a_line_for_kafka_that_is_no_request_is_told(tmp_path: Path, line: bytes, reason: str) -> None:
    assert reasons(a_file(tmp_path, line), Format.GOR_KAFKA) == [reason]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"3120zz\n", "the line is not in hexadecimal digits", id="no digits"),
        pytest.param(b"312\n", "the line is not in hexadecimal digits", id="half a byte"),
        pytest.param(b"31206162\n", "the line of metadata is malformed", id="no metadata"),
        pytest.param(b"\n", "a blank line", id="blank"),
        pytest.param("31２0\n".encode(), "the line is not in hexadecimal digits", id="full-width digits"),
    ],
)
def test_a_line_of_middleware_that_is_no_record_is_told(tmp_path: Path, line: bytes, reason: str) -> None:
    assert reasons(a_file(tmp_path, line), Format.GOR_MIDDLEWARE) == [reason]


@pytest.mark.parametrize("read", [read_middleware_lines, read_kafka_lines])
def test_a_line_beyond_the_allowed_size_is_told(tmp_path: Path, read: Any) -> None:
    path = a_file(tmp_path, b"3" * 2_000)

    ((place, reason),) = read("t", LineFile(path, max_line_bytes=1_000))

    assert (place.record, reason.reason) == (1, "the line has 2000 bytes, more than the 1000 that are read")
