from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import StoreError
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.evidence import Drill
from tests.builders import NOON

GOOD = Drill(at=NOON, passed=True, detail="none by Qwen")
BAD = Drill(at=NOON, passed=False, detail="3 by Qwen")


def test_the_latest_of_a_kind_counts_even_when_it_failed(tmp_path: Path) -> None:
    book = DrillBook(tmp_path / "a" / "drills.jsonl", clock=FakeClock())
    assert book.last(DrillKind.ROLLBACK) is None

    book.add(DrillKind.ROLLBACK, GOOD, who="anna")
    book.add(DrillKind.ROLLBACK, BAD, who="ben")
    book.add(DrillKind.LOAD, GOOD, who="anna")

    assert book.last(DrillKind.ROLLBACK) == BAD
    assert book.last(DrillKind.LOAD) == GOOD


def test_a_line_changed_by_hand_is_found(tmp_path: Path) -> None:
    path = tmp_path / "drills.jsonl"
    book = DrillBook(path, clock=FakeClock())
    book.add(DrillKind.ROLLBACK, BAD, who="ben")
    path.write_text(path.read_text().replace("false", "true"))

    with pytest.raises(StoreError, match="damaged"):
        book.last(DrillKind.ROLLBACK)
