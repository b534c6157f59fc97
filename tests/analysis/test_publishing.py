from pathlib import Path

import pytest

from analysis.judge import judge
from analysis.publishing import publish, write_summary
from analysis.report import view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from harness.errors import UsageError
from tests.frames import some_evidence, some_pairs

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")


def test_reports_are_written_whole(tmp_path: Path) -> None:
    publish({tmp_path / "a.txt": lambda: "ä", tmp_path / "b.txt": lambda: "b"})

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "ä"


def test_a_report_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    def breaks() -> str:
        raise ValueError("no text")

    (tmp_path / "a.txt").write_text("old")

    with pytest.raises(ValueError, match="no text"):
        publish({tmp_path / "a.txt": breaks})

    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere/a\.txt: cannot be written"):
        publish({tmp_path / "nowhere" / "a.txt": lambda: "a"})


def test_a_summary_is_appended_to_what_the_job_has_written_already(tmp_path: Path) -> None:
    view = view_of(judge(some_evidence(some_pairs()), DEMO))
    (tmp_path / "summary.md").write_text("# Nightly\n")

    write_summary(view, tmp_path / "summary.md")

    assert (tmp_path / "summary.md").read_text().startswith("# Nightly\n**GO** ")
    with pytest.raises(UsageError, match="GITHUB_STEP_SUMMARY"):
        write_summary(view, tmp_path / "nowhere" / "summary.md")
