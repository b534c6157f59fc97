"""Recorded traffic that was damaged on purpose, in every format, and what must hold however it was damaged."""

import gzip
import json
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Final, NamedTuple

import zstandard

from harness.capture import capture_from_json, capture_to_json
from harness.capturing.keys import KeyRing
from harness.capturing.leaks import first_leak
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import FakeClock
from harness.errors import CaptureError
from harness.exchanges import Consent
from harness.speech import Reference, VoiceKind
from replay.importers.formats import Format, read_files
from replay.importers.gor_records import SEPARATOR
from replay.importers.mapping import load_mapping
from replay.importers.records import LeftOut, Skipped, Unusable
from replay.sanitising.call_sanitiser import CallSanitiser
from tests.builders import a_capture, a_request, a_voice
from tests.traffic import (
    NOON_NS,
    a_body,
    a_flow,
    a_wav,
    b64,
    gor,
    har,
    har_entry,
    http_reply,
    http_request,
    tnetstring,
)

SECRET: Final = "sk-0123456789abcdef0123456789abcdef"  # stands in a header of every request in tests/traffic.py
MAPPING: Final = """
[fields]
captured_at = "ts"
text = "message.text"
voice.id = "voice"
user_key = "who"
"""
WAV: Final = a_wav(0.05)
NUL: Final = b"\x00"
SURROGATES: Final = (b"\\ud800", b"\xed\xa0\x80")  # escaped, and as bytes that UTF-8 does not allow
DEEP: Final = (b"[" * 3_000, b'{"a":' * 3_000)
HEADERS: Final = (b"\r\nX-Evil: 1\r\n\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n")
POISONS: Final = (
    *(NUL, b"\xff", *SURROGATES, b"\\u0000", b"NaN", b"1e999", b"\r\n", b"\n", b'"', b"\\", b"{", b"}", b"[", b"]"),
    *(*DEEP, b"9" * 5_000, b"\xf0\x9f\x90\xb5", "\u202e".encode()),
    *HEADERS,
    *("\n🐵🙈🙉\n".encode(), b"1 abc 123\n", b"999999999999:"),
)


class Document(NamedTuple):
    """A file as a tool would have written it."""

    name: str
    format: Format
    data: bytes


def _clone_form() -> bytes:
    fields = {"name": b"anna", "audio_sample": WAV, "ref_text": b"Hello."}
    parts = [
        b'--XX\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), data)
        for name, data in fields.items()
    ]
    return b"".join(parts) + b"--XX--\r\n"


def documents() -> tuple[Document, ...]:
    """One of each format, with something of every endpoint and reply."""
    synthesis = {"model": "qwen3-tts-flash", "input": {"text": "你好", "voice": "Cherry", "language_type": "Chinese"}}
    clone = {"text": "Hi.", "language": "English", "ref_audio_base64": b64(WAV), "ref_text": "Hello."}
    sse = b'data:{"output":{"audio":{"data":"' + b64(bytes(480)).encode() + b'"}}}\n\n'
    path = "/api/v1/services/aigc/multimodal-generation/generation"
    recorded = b"".join(
        [
            gor(http_request(a_body(text="Call +49 30 901820.", user="anna"), fields="Accept: */*\r\n"), identity="a1"),
            gor(http_reply(WAV), kind=2, identity="a1", at_ns=NOON_NS + 10**9),
            gor(http_request(synthesis, path=path, fields="X-DashScope-SSE: enable\r\n"), identity="b2"),
            gor(http_reply(sse, content_type="text/event-stream"), kind=2, identity="b2", at_ns=NOON_NS + 10**9),
            gor(http_request(clone, path="/clone"), identity="c3"),
            gor(http_request(_clone_form(), path="/v1/audio/voices", content_type="multipart/form-data; boundary=XX")),
        ]
    )
    job = http_request(b"", path="/job-result?job_id=fc-1", method="GET")
    recorded += b"".join(
        [
            gor(http_request(clone, path="/submit-job"), identity="d4"),
            gor(http_reply(b'{"job_id": "fc-1"}', content_type="application/json"), kind=2, identity="d4"),
            gor(job, identity="e5", at_ns=NOON_NS + 10**9),
            gor(http_reply(WAV), kind=2, identity="e5", at_ns=NOON_NS + 2 * 10**9),
        ]
    )
    in_hex = b"".join(part.hex().encode() + b"\n" for part in recorded.split(SEPARATOR) if part)
    message = {"Req_URL": "/generate", "Req_Type": "1", "Req_ID": "a1", "Req_Ts": str(NOON_NS), "Req_Method": "POST"}
    message |= {"Req_Body": json.dumps(a_body())}
    kafka = json.dumps(message | {"Req_Headers": {"Host": "x", "Authorization": f"Bearer {SECRET}"}}).encode() + b"\n"
    socket = har_entry("", url="wss://x/api-ws/v1/realtime?model=qwen3-tts-flash-realtime", method="GET", status=101)
    socket["_webSocketMessages"] = [
        {
            "type": "send",
            "time": 1.0,
            "opcode": 1,
            "data": '{"type": "session.update", "session": {"voice": "Cherry"}}',
        },
        {"type": "send", "time": 1.0, "opcode": 1, "data": '{"type": "input_text_buffer.append", "text": "Hello."}'},
        {"type": "receive", "time": 2.0, "opcode": 1, "data": '{"type": "response.audio.delta", "delta": "AAAA"}'},
    ]
    browsed = har(
        socket, har_entry(reply=WAV), har_entry({"input": "Hi.", "voice": "nova"}, url="https://x/v1/audio/speech")
    )
    flows = tnetstring(a_flow(reply=WAV)) + tnetstring(a_flow())
    line = json.dumps(
        {"ts": "2025-11-23T12:00:00Z", "message": json.dumps({"text": "Hello"}), "voice": "Vivian"}
    ).encode()
    rows = b'ts,message.text,voice,who,message\n2025-11-23T12:00:00Z,x,Vivian,anna,"{""text"": ""Hello""}"\n'
    consent = Consent(scope=("replay",), region=None, expires_at=None, evidence="contract 7")
    voice = a_voice(VoiceKind.CLONE, reference=Reference(sha256="a" * 64, transcript="Hi."))
    ours = capture_to_json(a_capture(request=a_request(voice=voice), consent=consent)).encode()
    return (
        Document("t_0.gor", Format.GOR, recorded),
        Document("t.hex", Format.GOR_MIDDLEWARE, in_hex),
        Document("t.kafka", Format.GOR_KAFKA, kafka * 2 + kafka.replace(b'"a1"', b'"a2"')),
        Document("t.har", Format.HAR, browsed),
        Document("t.flows", Format.MITMPROXY, flows),
        Document("t.log", Format.LOG, (line + b"\n") * 3),
        Document("t.csv", Format.LOG, rows + rows.split(b"\n")[1] + b"\n"),
        Document("t.jsonl", Format.NATIVE, ours + b"\n\n" + ours + b"\n"),
    )


class Giant(NamedTuple):
    """A file too large to hold, written piece by piece."""

    kind: str  # as the issue names it
    name: str
    format: Format
    pieces: Callable[[], Iterator[bytes]]
    refused: bool = False  # the whole file is, and not only the record


_MEGABYTE: Final = 1024 * 1024
_LONG: Final = 100  # of these
_BOMB: Final = 16 * _MEGABYTE  # once unfolded, of one of its members


def _long(start: bytes, end: bytes) -> Callable[[], Iterator[bytes]]:
    """100 MB of one letter between two ends."""
    return lambda: chain([start], repeat(b"x" * _MEGABYTE, _LONG), [end])


def _bomb(pack: Callable[[bytes], bytes]) -> Callable[[], Iterator[bytes]]:
    """Members that unfold to a gigabyte of blanks, in a few hundred kilobytes."""
    return lambda: repeat(pack(b" " * _BOMB), 64)


def giants() -> tuple[Giant, ...]:
    """What no reader may take into its memory, behind it a record that is to be read all the same."""
    line = json.dumps({"ts": "2025-11-23T12:00:00Z", "message": {"text": "Hello"}, "voice": "Vivian"}).encode()
    ours = capture_to_json(a_capture()).encode()
    record, entry = gor(http_request(a_body())), json.dumps(har_entry()).encode()
    head = b"1 a1 1763899200000000000 0\nPOST /generate HTTP/1.1\r\nContent-Length: 104857600\r\n\r\n"
    size = _LONG * _MEGABYTE
    line_kind, bomb_kind = "100 MB line", "zip bomb"
    return (
        Giant(line_kind, "g.gor", Format.GOR, _long(head, SEPARATOR + record)),
        Giant(line_kind, "g.har", Format.HAR, _long(b'{"log": {"entries": [{"x": "', b'"},' + entry + b"]}}")),
        Giant(line_kind, "g.flows", Format.MITMPROXY, _long(f"{size}:".encode(), b"," + tnetstring(a_flow()))),
        Giant(line_kind, "g.log", Format.LOG, _long(b'{"text": "', b'"}\n' + line + b"\n")),
        Giant(line_kind, "g.jsonl", Format.NATIVE, _long(b'{"schema": 1, "id": "', b'"}\n' + ours + b"\n")),
        Giant(line_kind, "g.hex", Format.GOR_MIDDLEWARE, _long(b"31", b"\n" + record[:-14].hex().encode() + b"\n")),
        Giant(bomb_kind, "b.gor.gz", Format.GOR, _bomb(partial(gzip.compress, compresslevel=6)), refused=True),
        Giant(bomb_kind, "b.har.zst", Format.HAR, _bomb(zstandard.compress), refused=True),
        Giant(bomb_kind, "b.jsonl.zst", Format.NATIVE, _bomb(zstandard.compress), refused=True),
    )


def _flip(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]


def _poison(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + dice.choice(POISONS) + data[at:]


def _overwrite(dice: random.Random, data: bytes) -> bytes:
    at, poison = dice.randrange(len(data)), dice.choice(POISONS)
    return data[:at] + poison + data[at + len(poison) :]


def _cut_out(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + data[at + dice.randrange(1, 400) :]


def _repeat(dice: random.Random, data: bytes) -> bytes:
    start = dice.randrange(len(data))
    piece = data[start : start + dice.randrange(1, 600)]
    at = dice.randrange(len(data))
    return data[:at] + piece + data[at:]


def as_utf_16(data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode("utf-16")


MUTATIONS: Final[tuple[Callable[[random.Random, bytes], bytes], ...]] = (
    *(_flip, _poison, _overwrite, _cut_out, _repeat) * 3,
    lambda dice, data: data[: dice.randrange(len(data))],
    lambda dice, data: data[dice.randrange(len(data)) :],
    lambda dice, data: dice.randbytes(200),
    lambda dice, data: b"",
    lambda dice, data: data + data,
    lambda dice, data: as_utf_16(data),
    lambda dice, data: b"\xef\xbb\xbf" + data,
    lambda dice, data: data.replace(b"\n", b"\r\n"),
    lambda dice, data: data.replace(b"\r\n", b"\n"),
    lambda dice, data: gzip.compress(data, 1),
    lambda dice, data: _cut_out(dice, gzip.compress(data, 1)),
    lambda dice, data: _flip(dice, zlib.compress(data, 1)),
    lambda dice, data: _flip(dice, zstandard.compress(data, 1)),
    lambda dice, data: gzip.compress(bytes(2_000_000), 1),
    lambda dice, data: data + dice.choice(documents()).data,
)


def mutated(dice: random.Random, document: Document) -> Document:
    """The document after one to four accidents."""
    data = document.data
    for _ in range(dice.choice((1, 1, 2, 4))):
        data = dice.choice(MUTATIONS)(dice, data) or b""
        if not data:
            break
    return document._replace(data=data)


class Trial:
    """Reads documents and holds them to what must be true of every one."""

    def __init__(self, folder: Path) -> None:
        self.outcomes: Counter[str] = Counter()  # good, quarantined, skipped, refused → records, or files for the last
        self._folder = folder
        mapping = folder / "mapping.toml"
        mapping.write_text(MAPPING)
        self._mapping = load_mapping(mapping)
        keys = KeyRing(folder / "keys")
        self._references = EncryptedBlobStore(folder / "audio", keys)
        self._sanitiser = CallSanitiser(Sanitiser(Policy.MASK, keys, references=self._references, clock=FakeClock()))

    def read(self, document: Document, *, detect: bool = False) -> None:
        """Every record has one outcome, and what comes out is sound; only CaptureError may end the reading."""
        path = self._folder / document.name
        path.write_bytes(document.data)
        self._read(path, Format.AUTO if detect else document.format)

    def read_giant(self, giant: Giant) -> None:
        """The same of a file that is never held whole; it is deleted at once."""
        path = self._folder / giant.name
        with path.open("wb") as file:
            file.writelines(giant.pieces())
        try:
            self._read(path, giant.format)
        finally:
            path.unlink()

    def _read(self, path: Path, kind: Format) -> None:
        places = set()
        counted: Counter[str] = Counter()
        try:
            for read in read_files([path], kind, self._mapping, references=[(self._folder, self._references)]):
                assert read.place not in places, read.place
                places.add(read.place)
                counted[self._outcome(read.outcome)] += 1
        except CaptureError as error:
            self._expect(str(path) in str(error), f"{error} does not name the file")
            self.outcomes["refused"] += 1
        assert counted.total() == len(places)
        self.outcomes += counted

    @staticmethod
    def _expect(holds: bool, promise: str) -> None:
        if not holds:
            raise AssertionError(promise)

    def _outcome(self, outcome: object) -> str:
        try:
            if isinstance(outcome, LeftOut):
                raise outcome
            made = self._sanitiser.clean(outcome)  # type: ignore[arg-type]
        except Skipped:
            return "skipped"
        except Unusable as reason:
            self._expect(SECRET not in reason.reason, "a reason tells a secret")
            return "quarantined"
        assert made.line == capture_to_json(made.capture)
        assert capture_from_json(made.line.encode()) == made.capture
        assert SECRET not in made.line or first_leak(made.capture) is not None
        return "good"
