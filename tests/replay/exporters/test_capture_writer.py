import stat
from pathlib import Path

import pytest

from harness.errors import CaptureError
from replay.exporters.capture_writer import CaptureWriter
from replay.sources import read_captures
from tests.builders import a_capture


@pytest.mark.parametrize("name", ["captures.jsonl", "captures.jsonl.zst"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    captures = [a_capture(str(number)) for number in range(300)]

    with CaptureWriter(tmp_path / "new" / name) as writer:
        numbers = [writer.write(capture) for capture in captures]
        writer.finish()
        writer.publish()

    assert list(read_captures(tmp_path / "new" / name)) == captures
    assert numbers == list(range(1, 301))
    assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600


def test_a_file_that_was_not_published_is_not_there(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "a.jsonl.zst") as writer:
        writer.write(a_capture())
        writer.finish()

    assert list(tmp_path.iterdir()) == []


def test_a_failure_on_the_way_leaves_nothing_and_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("old")

    def fail() -> None:
        with CaptureWriter(tmp_path / "a.jsonl", replace=True) as writer:
            writer.write(a_capture())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert (tmp_path / "a.jsonl").read_text() == "old"


def test_the_draft_is_whole_before_it_is_published(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "a.jsonl.zst") as writer:
        writer.write(a_capture("c7"))
        writer.finish()

        assert [capture.id for capture in read_captures(writer.draft)] == ["c7"]


def test_an_existing_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()

    with pytest.raises(CaptureError, match="is there already"):
        CaptureWriter(tmp_path / "a.jsonl")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CaptureError, match="cannot be written"):
        CaptureWriter(tmp_path / "file" / "a.jsonl")
