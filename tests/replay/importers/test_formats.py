import gzip
import tracemalloc
import zlib
from pathlib import Path

import pytest

from harness.capture import capture_to_json
from harness.errors import CaptureError, UsageError
from harness.store.blobs import BlobStore
from replay.importers.formats import Format, detect, find_files, read_files
from replay.importers.mapping import FieldMapping, load_mapping
from replay.importers.records import Place, SpeechCall
from tests.builders import a_capture
from tests.traffic import NOON_NS, a_body, a_flow, gor, har, har_entry, http_reply, http_request, tnetstring

NATIVE = capture_to_json(a_capture()).encode() + b"\n"
LOG = b'{"ts": "2025-11-23T12:00:00Z", "text": "Hello", "voice": "Vivian"}\n'


def a_file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def a_mapping(folder: Path) -> FieldMapping:
    path = folder / "mapping.toml"
    path.write_text('[fields]\ncaptured_at = "ts"\ntext = "text"\nvoice.id = "voice"\n')
    return load_mapping(path)


def read(*paths: Path, mapping: FieldMapping | None = None, kind: Format = Format.AUTO) -> list[tuple[Place, str]]:
    stores = [(path.parent, BlobStore(path.parent / "audio")) for path in paths]
    return [
        (found.place, found.outcome.text if isinstance(found.outcome, SpeechCall) else found.outcome.reason)
        for found in read_files(paths, kind, mapping, references=stores)
    ]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(gor(http_request(b"")), Format.GOR, id="gor"),
        pytest.param(gzip.compress(gor(http_request(b""))), Format.GOR, id="gor in gzip"),
        pytest.param(har(har_entry()), Format.HAR, id="HAR"),
        pytest.param(b'\xef\xbb\xbf\n{ "log" : {}}', Format.HAR, id="HAR with mark"),
        pytest.param(zlib.compress(har(har_entry())), Format.HAR, id="zhar"),
        pytest.param(tnetstring(a_flow()), Format.MITMPROXY, id="mitmproxy"),
        pytest.param(NATIVE, Format.NATIVE, id="ours"),
    ],
)
def test_a_format_is_known_by_how_the_file_begins(tmp_path: Path, data: bytes, kind: Format) -> None:
    assert detect(a_file(tmp_path, "traffic", data), None) is kind


def test_what_is_nothing_else_is_a_log_when_a_mapping_was_given(tmp_path: Path) -> None:
    path = a_file(tmp_path, "app.log", LOG)

    assert detect(path, a_mapping(tmp_path)) is Format.LOG
    with pytest.raises(CaptureError, match="begins like no format known here; name it with --format"):
        detect(path, None)


def test_utf_16_is_said(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is UTF-16"):
        detect(a_file(tmp_path, "a.har", har(har_entry()).decode().encode("utf-16")), None)


def test_rotated_files_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 1, 2, 9, 10, 11):
        a_file(tmp_path, f"t_{number}.gor", b"")

    found = find_files([str(tmp_path / "t_*.gor"), str(tmp_path / "t_1.gor")])

    assert [path.name for path in found] == ["t_0.gor", "t_1.gor", "t_2.gor", "t_9.gor", "t_10.gor", "t_11.gor"]


def test_a_name_that_looks_like_a_pattern_and_is_there_is_a_name(tmp_path: Path) -> None:
    path = a_file(tmp_path, "a[1].gor", b"")

    assert find_files([str(path)]) == [path]


def test_a_pattern_that_matches_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file matches"):
        find_files([str(tmp_path / "*.gor")])


def test_a_pattern_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_file(tmp_path, "t.gor", b"")
    monkeypatch.chdir(tmp_path)

    assert find_files(["*.gor"]) == [Path("t.gor")]


def test_every_format_gives_calls_and_places(tmp_path: Path) -> None:
    paths = [
        a_file(tmp_path, "a.gor", gor(http_request(a_body(text="from gor")))),
        a_file(tmp_path, "b.har", har(har_entry(a_body(text="from HAR")))),
        a_file(tmp_path, "c.flows", tnetstring(a_flow())),
        a_file(tmp_path, "d.jsonl", NATIVE),
    ]

    assert read(*paths) == [
        (Place("a.gor", 1), "from gor"),
        (Place("b.har", 1), "from HAR"),
        (Place("c.flows", 1), "Good morning."),
        (Place("d.jsonl", 1), "Good morning."),
    ]


def test_logs_are_read_as_rows_or_lines_by_their_name(tmp_path: Path) -> None:
    lines = a_file(tmp_path, "app.log", LOG)
    rows = a_file(tmp_path, "app.csv", b"ts,text,voice\n2025-11-23T12:00:00Z,Hi,Vivian\n")

    assert [text for _, text in read(lines, rows, mapping=a_mapping(tmp_path))] == ["Hello", "Hi"]


def test_a_log_without_mapping_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs --mapping FILE.toml"):
        read(a_file(tmp_path, "app.log", LOG), kind=Format.LOG)


def test_a_rotation_is_one_recording_and_other_files_are_not(tmp_path: Path) -> None:
    request = gor(http_request(a_body()))
    reply = gor(http_reply(b"RIFF"), kind=2, at_ns=NOON_NS + 1)
    rotated = [a_file(tmp_path, "t_0.gor", request), a_file(tmp_path, "t_1.gor", reply)]
    apart = [a_file(tmp_path, "a.gor", request), a_file(tmp_path, "b.gor", reply)]

    def observed(*paths: Path) -> list[bool]:
        outcomes = [found.outcome for found in read_files(paths, Format.AUTO, None)]
        return [call.observed is not None for call in outcomes if isinstance(call, SpeechCall)]

    assert (observed(*rotated), observed(*apart)) == ([True], [False])


def test_a_file_that_is_not_what_it_was_called_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"app\.log: this does not look like a GoReplay file"):
        read(a_file(tmp_path, "app.log", LOG), kind=Format.GOR)


@pytest.mark.parametrize("kind", [Format.LOG, Format.NATIVE, Format.HAR, Format.MITMPROXY])
def test_a_hundred_megabytes_in_one_record_are_left_out_in_bounded_memory(tmp_path: Path, kind: Format) -> None:
    beginnings = {
        Format.LOG: b'{"text": "',
        Format.NATIVE: b'{"schema": 1, "id": "',
        Format.HAR: b'{"log": {"entries": [{"request": "',
        Format.MITMPROXY: b"100000000:",
    }
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.write(beginnings[kind])
        for _ in range(100):
            file.write(b"x" * 10**6)
        file.write(b'"}]}}\n' if kind is Format.HAR else b",")

    tracemalloc.start()
    (found,) = read(path, mapping=a_mapping(tmp_path), kind=kind)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "more than" in found[1]
    assert peak_bytes < 80 * 10**6
