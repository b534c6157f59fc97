import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.store.choosing import chosen_run, newest
from harness.store.runs import Run, find_run
from tests.replayed import a_live_run, a_replayed_run

OLDER, NEWER, LIVE = "20261121T120000Z-aaaaaa", "20261122T120000Z-bbbbbb", "20261123T120000Z-cccccc"
LATER = "20261124T120000Z-dddddd"


def begin_to_write(run: Run) -> None:
    """The journal grows on after the last seal."""
    later = run.database.stat().st_mtime_ns + 1_000_000
    os.utime(run.journal, ns=(later, later))


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "being written"])
def test_the_latest_is_the_newest_replay_whatever_the_gateway_does(tmp_path: Path, sealed: bool) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    a_replayed_run(tmp_path, run_id=NEWER, captures=2)
    a_live_run(tmp_path, run_id=LIVE, sealed=sealed)

    for needs_seal in (True, False):
        found = chosen_run(tmp_path, "latest", sealed=needs_seal)

        assert (found.run.id, found.passed_over) == (NEWER, None)
        assert found.notes == [f"latest is {NEWER}; {LIVE} is newer and live: give its id to choose it"]


def test_a_live_run_that_is_older_is_not_worth_a_word(tmp_path: Path) -> None:
    a_live_run(tmp_path, run_id=LIVE)
    a_replayed_run(tmp_path, run_id=LATER, captures=2)

    assert chosen_run(tmp_path, "latest").notes == []


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "being written"])
def test_where_there_is_no_replay_the_live_run_is_the_latest_and_is_called_so(tmp_path: Path, sealed: bool) -> None:
    live = a_live_run(tmp_path, run_id=LIVE, sealed=sealed)

    found = chosen_run(tmp_path, "latest", sealed=sealed)

    assert (found.run, found.notes) == (live, [f"latest is {LIVE}, a live run: there is no replay yet"])


def test_a_live_run_is_the_latest_of_its_kind_and_by_its_name(tmp_path: Path) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    live = a_live_run(tmp_path, run_id=LIVE, kind="canary")

    assert chosen_run(tmp_path, "latest", kind="canary").run == live
    assert chosen_run(tmp_path, live.id).run == live
    assert chosen_run(tmp_path, str(live.path)).run == live


@pytest.mark.parametrize("how", [begin_to_write, lambda run: run.database.unlink()], ids=["going on", "killed"])
def test_a_newer_replay_that_is_not_sealed_is_passed_over_and_named(tmp_path: Path, how: Callable[[Run], None]) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    newer = a_replayed_run(tmp_path, run_id=NEWER, captures=2)
    how(newer)

    found = chosen_run(tmp_path, "latest")

    assert (found.run.id, found.passed_over) == (OLDER, newer)
    assert chosen_run(tmp_path, "latest", sealed=False).run == newer


def test_what_was_passed_over_is_said_with_the_remedy(tmp_path: Path) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    begin_to_write(a_replayed_run(tmp_path, run_id=NEWER, captures=2))

    notes = chosen_run(tmp_path, "latest").notes

    assert notes == [f"run {NEWER} is newer and not sealed; `cutover runs seal {NEWER}` does it"]


def test_who_has_runs_in_hand_chooses_alike(tmp_path: Path) -> None:
    live, replayed = a_live_run(tmp_path, run_id=LIVE), a_replayed_run(tmp_path, run_id=NEWER, captures=2)

    assert [newest([live, replayed]), newest([live]), newest([])] == [replayed, live, None]


@pytest.mark.parametrize(
    ("kind", "message"),
    [(None, "no run yet; `cutover demo` or `cutover replay`"), ("shadow", "no shadow run yet; `cutover serve`")],
)
def test_without_any_the_command_that_makes_one_is_named(tmp_path: Path, kind: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen_run(tmp_path, "latest", kind=kind)


def test_when_the_only_one_is_not_sealed_the_command_that_seals_it_is_named(tmp_path: Path) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2).database.unlink()

    with pytest.raises(UsageError, match=f"run {OLDER} is not sealed yet; `cutover runs seal {OLDER}` does it"):
        chosen_run(tmp_path, "latest")


def test_a_damaged_journal_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    damaged = a_replayed_run(tmp_path, run_id=NEWER, captures=2)
    damaged.journal.write_bytes(b"0 00000000 {}\n")
    os.utime(damaged.journal, ns=(0, 0))

    assert chosen_run(tmp_path, "latest").run == damaged


def test_latest_is_a_word_of_its_own_and_no_id(tmp_path: Path) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)

    assert chosen_run(tmp_path, OLDER) == (Run(tmp_path / "runs" / OLDER), None, None)
    with pytest.raises(UsageError, match="latest: no such run"):
        find_run(tmp_path, "latest")
