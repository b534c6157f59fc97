from pathlib import Path

import pytest

from harness.errors import StoreError
from replay.sealed import metadata_of, pairs_of, together
from tests.replayed import a_replayed_run


def test_rows_of_a_capture_and_repetition_come_together_by_lane() -> None:
    rows = [
        {"capture_id": capture_id, "repetition": repetition, "lane": lane}
        for capture_id, repetition, lane in [
            ("a", 0, "candidate"),
            ("a", 0, "control"),
            ("a", 1, "control"),
            ("b", 1, "control"),
            ("b", 1, "repeat"),
        ]
    ]

    assert list(together(rows)) == [
        {"candidate": rows[0], "control": rows[1]},
        {"control": rows[2]},
        {"control": rows[3], "repeat": rows[4]},
    ]


def test_every_exchange_of_a_sealed_run_is_in_one_pair(tmp_path: Path) -> None:
    run = a_replayed_run(tmp_path, captures=1_200, lost=1)

    pairs = list(pairs_of(run.database))

    assert len(pairs) == 1_200
    assert sum(map(len, pairs)) == 2 * 1_200 + 300 - 1
    assert {row["capture_id"] for pair in pairs[:3] for row in pair.values()} == {f"{run.id}-{n}" for n in range(3)}
    assert {lane: (row["outcome"], row["position"]) for lane, row in pairs[0].items()} == {
        "control": ("ok", 0),
        "candidate": ("ok", 1),
        "repeat": ("ok", 2),
    }


def test_what_else_is_known_of_an_exchange_is_read_back(tmp_path: Path) -> None:
    run = a_replayed_run(tmp_path, captures=4)

    found = list(metadata_of(run.database))

    assert len(found) == 9
    assert {each["counted_chars"] for each in found} == {13}


def test_a_run_that_was_not_sealed_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such database"):
        list(pairs_of(tmp_path / "run.duckdb"))
