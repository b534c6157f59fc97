import json
import stat
from pathlib import Path

import pytest

from harness.errors import CaptureError
from replay.importers.left_out import LeftOutFile
from replay.importers.records import Place, Skipped, Unusable


def test_what_is_skipped_is_counted_and_what_is_unusable_written_down(tmp_path: Path) -> None:
    left_out = LeftOutFile(tmp_path / "q.jsonl")

    left_out.add(Place("a.gor", 1), Skipped("a reply"))
    left_out.add(Place("a.gor", 2), Skipped("a reply"))
    left_out.add(Place("a.gor", 3), Unusable("the body is cut short"))
    left_out.close()

    assert (left_out.skipped, left_out.quarantined) == ({"a reply": 2}, 1)
    assert json.loads((tmp_path / "q.jsonl").read_text()) == {
        "file": "a.gor",
        "record": 3,
        "reason": "the body is cut short",
    }
    assert stat.S_IMODE((tmp_path / "q.jsonl").stat().st_mode) == 0o600


def test_an_older_file_goes_when_there_is_nothing_to_write(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("old")

    LeftOutFile(tmp_path / "q.jsonl").close()

    assert not (tmp_path / "q.jsonl").exists()


def test_a_file_that_cannot_be_written_stops_the_import(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").mkdir()
    left_out = LeftOutFile(tmp_path / "q.jsonl")

    with pytest.raises(CaptureError, match="cannot be written"):
        left_out.add(Place("a.gor", 1), Unusable("x"))
