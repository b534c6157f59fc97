import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from replay.importers.exchanges import HttpExchange
from replay.importers.har import read_har
from replay.importers.records import ForeignFormat, LeftOut
from tests.traffic import a_body, a_wav, b64, har, har_entry


def read(data: bytes) -> list[HttpExchange | LeftOut]:
    return [found for _, found in read_har(io.BytesIO(data), wanted=lambda line: line.path == "/generate")]


def one(entry: dict[str, Any]) -> HttpExchange:
    (found,) = read(har(entry))
    assert isinstance(found, HttpExchange), found
    return found


def reason(entry: dict[str, Any]) -> str:
    (found,) = read(har(entry))
    assert isinstance(found, LeftOut)
    return found.reason


def changed(entry: dict[str, Any], section: str, **changes: Any) -> dict[str, Any]:
    return entry | {section: entry[section] | changes}


def test_an_entry_becomes_an_exchange_with_its_reply_and_times() -> None:
    exchange = one(har_entry(reply=a_wav()))

    assert (exchange.method, exchange.host, exchange.path) == ("POST", "legacy.internal", "/generate")
    assert json.loads(exchange.body) == a_body()
    assert exchange.captured_at == "2025-11-23T12:00:00.250Z"
    assert exchange.reply is not None
    assert (exchange.reply.status, exchange.reply.body) == (200, a_wav())
    assert exchange.first_byte_s == pytest.approx(0.9)  # dns, connect, send, wait; ssl is part of connect
    assert exchange.total_s == 1.5


def test_a_byte_order_mark_as_fiddler_writes_it_is_no_trouble() -> None:
    assert len(read(b"\xef\xbb\xbf" + har(har_entry()))) == 1


def test_media_that_the_browser_left_out_is_known_by_its_status() -> None:
    exchange = one(har_entry(reply=None))

    assert exchange.reply is not None
    assert (exchange.reply.status, exchange.reply.body) == (200, None)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(
            changed(har_entry(), "request", bodySize=4_000),
            "the body is mangled: 4000 bytes were sent and",
            id="mangled",
        ),
        pytest.param(
            changed(har_entry(), "request", postData={"mimeType": "multipart/form-data", "params": [{"name": "a"}]}),
            "the body is a form whose files are not in the file",
            id="a form",
        ),
        pytest.param(changed(har_entry(), "request", postData=None), "the body is not in the file", id="no body"),
        pytest.param(har_entry(request=None), '"request" is missing', id="no request"),
        pytest.param(har_entry(startedDateTime=7), '"startedDateTime" is missing', id="no time"),
        pytest.param(changed(har_entry(), "request", url="https://[::1/"), "the address is malformed", id="no address"),
        pytest.param(har_entry(url="https://cdn.example/logo.png"), "not a speech endpoint", id="something else"),
    ],
)
def test_what_cannot_be_replayed_is_left_out_with_its_reason(entry: dict[str, Any], expected: str) -> None:
    assert reason(entry).startswith(expected)


def test_a_body_in_base64_as_har_1_3_proposes_it_is_read() -> None:
    body = b'{"text": "\xc3\xbc"}'
    entry = changed(har_entry(), "request", postData={"mimeType": "", "text": b64(body), "encoding": "base64"})

    assert one(entry).body == body


def test_headers_may_be_pairs_as_slack_exports_them() -> None:
    assert one(changed(har_entry(), "request", headers=[["X-DashScope-SSE", "enable"], 7])).wants_sse


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("net::ERR_NAME_NOT_RESOLVED", "dns"),
        ("net::ERR_CONNECTION_RESET", "conn_reset"),
        ("net::ERR_CONNECTION_TIMED_OUT", "timeout_connect"),
        ("net::ERR_CERT_DATE_INVALID", "tls"),
        ("timeout_total", "timeout_total"),
        ("something", None),
    ],
)
def test_a_failed_request_tells_why(error: str, kind: str | None) -> None:
    exchange = one(har_entry(response={"status": 0, "_error": error}))

    assert exchange.reply is not None
    assert (exchange.reply.status, exchange.reply.error, exchange.first_byte_s) == (0, kind, None)


def test_times_that_make_no_sense_are_none() -> None:
    exchange = one(har_entry(time=-1, timings={"wait": "soon"}))

    assert (exchange.first_byte_s, exchange.total_s) == (None, None)


def test_a_file_that_ends_inside_an_entry_keeps_those_before() -> None:
    found = read(har(har_entry(), har_entry())[:-60])

    assert isinstance(found[0], HttpExchange)
    assert isinstance(found[1], LeftOut)
    assert found[1].reason == "the file ends inside this entry"


@pytest.mark.parametrize("data", [b"{}", b'{"log": {"entries": []}}', b"[]", b"", b"no JSON"])
def test_a_file_without_an_entry_is_no_har(data: bytes) -> None:
    with pytest.raises(ForeignFormat, match=r'no entry in "log\.entries"'):
        read(data)


class Service(BaseHTTPRequestHandler):
    """A page, and a legacy path that answers its requests with audio or an error."""

    def do_GET(self) -> None:
        self._answer(200, b"<title>Speech</title>", "text/html")

    def do_POST(self) -> None:
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_good = "break" not in wish["text"]
        body = a_wav(0.25) if is_good else b'{"detail": "Generation failed"}'
        self._answer(200 if is_good else 500, body, "audio/wav" if is_good else "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's own word
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


FETCH = """
async text => {
    const wish = {text, language: "English", speaker: "Vivian"};
    const reply = await fetch("/generate", {method: "POST", body: JSON.stringify(wish)});
    return (await reply.arrayBuffer()).byteLength;
}
"""


@pytest.mark.browser
def test_what_a_real_chromium_recorded_is_read(tmp_path: Path, address: str) -> None:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        reason = "no Chromium here: install Debian's `chromium`, or name one in the variable CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        recording = chromium.new_context(record_har_path=tmp_path / "speech.har", record_har_content="embed")
        page = recording.new_page()
        page.goto(address)
        for text in ("Good morning, 世界 🐵🙈🙉.", "break"):
            page.evaluate(FETCH, text)
        recording.close()
        chromium.close()

    found = read((tmp_path / "speech.har").read_bytes())

    spoken = [one for one in found if isinstance(one, HttpExchange)]
    assert [json.loads(one.body)["text"] for one in spoken] == ["Good morning, 世界 🐵🙈🙉.", "break"]
    assert [(one.reply and one.reply.status, one.reply and one.reply.body) for one in spoken] == [
        (200, a_wav(0.25)),
        (500, b'{"detail": "Generation failed"}'),
    ]
    assert all(one.first_byte_s is not None and one.total_s is not None for one in spoken)
    assert all(one.reason == "not a speech endpoint" for one in found if isinstance(one, LeftOut))


@pytest.mark.parametrize("value", [7, True, "x", {}, None])
def test_lists_that_are_none_are_passed_over(value: object) -> None:
    entry = har_entry()
    entry["request"]["headers"] = value
    entry["_webSocketMessages"] = value

    (found,) = (one for _, one in read_har(io.BytesIO(har(entry)), wanted=lambda line: True))

    assert isinstance(found, HttpExchange)
    assert (found.wants_sse, found.messages) == (False, ())
