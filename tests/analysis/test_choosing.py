import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.choosing import chosen_run
from analysis.verdict_cli import verdict
from harness.clock import FakeClock
from harness.errors import UsageError
from harness.store.logbook import Logbook
from harness.store.runs import Run
from harness.store.seal import seal
from tests.builders import NOON
from tests.replayed import a_replayed_run

OLDER, NEWER, LIVE = "20261121T120000Z-aaaaaa", "20261122T120000Z-bbbbbb", "20261123T120000Z-cccccc"


def a_live_run(home: Path, kind: str = "shadow", *, sealed: bool = True) -> Run:
    """What a gateway has just begun to write."""
    run = Run(home / "runs" / LIVE)
    plan = {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"}
    head = {"run_id": run.id, "kind": kind, "started_at": NOON.isoformat(), "code_version": "0", "plan_sha256": "p"}
    with Logbook(run.journal, clock=FakeClock()) as book:
        book.write({"type": "plan", **head, "plan": plan})
    if sealed:
        seal(run)
    return run


def begin_to_write(run: Run) -> None:
    """The journal grows on after the last seal."""
    later = run.database.stat().st_mtime_ns + 1_000_000
    os.utime(run.journal, ns=(later, later))


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "being written"])
def test_the_latest_is_the_newest_replay_whatever_the_gateway_does(tmp_path: Path, sealed: bool) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    a_replayed_run(tmp_path, run_id=NEWER, captures=2)
    a_live_run(tmp_path, sealed=sealed)

    found = chosen_run(tmp_path, "latest")

    assert (found.run.id, found.passed_over) == (NEWER, None)


def test_a_live_run_is_the_latest_of_its_kind_and_by_its_name(tmp_path: Path) -> None:
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    live = a_live_run(tmp_path, "canary")

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


def test_the_command_says_which_run_it_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    a_replayed_run(tmp_path, run_id=OLDER, captures=2)
    begin_to_write(a_replayed_run(tmp_path, run_id=NEWER, captures=2))

    result = CliRunner().invoke(verdict, [])

    assert f"run: {OLDER}" in result.stdout
    assert f"run {NEWER} is newer and not sealed; `cutover runs seal {NEWER}` does it" in result.stderr


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
