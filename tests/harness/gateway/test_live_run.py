from datetime import timedelta
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import StoreError
from harness.exchanges import Lane
from harness.gateway.live_run import LiveRun, balance_runs, spent_today
from harness.store.journal import Journal, JournalFile, read_journal
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from harness.store.seal import seal
from tests.builders import a_capture, a_leg

LEGS = (a_leg(lane=Lane.CONTROL), a_leg(lane=Lane.CANDIDATE, position=1))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def begun(home: Path, clock: FakeClock) -> LiveRun:
    run = LiveRun(home, kind="shadow", plan={"price_version": "v"}, clock=clock)
    run.add(a_capture(), LEGS)
    return run


def killed(run: LiveRun) -> None:
    """What a kill leaves: all that was written, the mark, and no lock."""
    run._journal.close()


def intent(run: LiveRun) -> None:
    run.write(
        {
            "type": "intent",
            "call": "x#0",
            "leg": LEGS[1].key,
            "provider": "qwen",
            "purpose": "speak",
            "attempt": 1,
            "worst_microusd": 700,
            "at": "2026-11-23T00:00:00+00:00",
        }
    )


def test_a_kill_leaves_a_run_that_balances_at_the_next_start(tmp_path: Path, clock: FakeClock) -> None:
    run = begun(tmp_path, clock)
    intent(run)
    killed(run)

    assert balance_runs(tmp_path, clock=clock) == [run.run.id]

    (found,) = list_runs(tmp_path)
    seal(found)
    ledger = Ledger.of(JournalFile(found.journal))
    assert ledger.missing == []
    assert {key: row["outcome"] for key, row in ledger.results.items()} == {
        LEGS[0].key: "cancelled",
        LEGS[1].key: "unknown_outcome",
    }
    assert ledger.results[LEGS[1].key]["cost_usd"] == "0.000700"
    assert ledger.spent_microusd() == 700
    assert balance_runs(tmp_path, clock=clock) == []


def test_a_run_that_is_being_written_is_left_alone(tmp_path: Path, clock: FakeClock) -> None:
    run = begun(tmp_path, clock)

    assert balance_runs(tmp_path, clock=clock) == []
    run.close()

    assert balance_runs(tmp_path, clock=clock) == [run.run.id]  # its legs were still open


def test_a_run_is_over_at_midnight_and_when_it_is_full(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path, clock)

    assert not run.is_over(clock.now() + timedelta(hours=23))
    assert run.is_over(clock.now() + timedelta(hours=24))
    monkeypatch.setattr("harness.gateway.live_run.MAX_CAPTURES", 1)
    assert run.is_over(clock.now())
    killed(run)


def test_money_spent_today_is_known_after_a_restart_and_yesterdays_is_not_counted(
    tmp_path: Path, clock: FakeClock
) -> None:
    run = begun(tmp_path, clock)
    intent(run)
    run.write({"type": "settle", "call": "x#0", "microusd": 300, "known": True})
    killed(run)

    assert spent_today(tmp_path, clock.now()) == 300
    assert spent_today(tmp_path, clock.now() + timedelta(days=1)) == 0


def test_replays_are_no_runs_of_ours(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "runs" / "20261123T000000000-aaaaaa" / "journal.jsonl"
    with Journal(path, clock=clock) as journal:
        journal.append({"type": "plan", "run_id": "r", "kind": "replay", "plan": {"capture_sha256": "", "seed": 1}})
    (tmp_path / "runs" / "20261123T000000001-bbbbbb").mkdir()

    assert balance_runs(tmp_path, clock=clock) == []
    assert spent_today(tmp_path, clock.now()) == 0
    assert not Ledger.of(read_journal(path).records).planned


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "runs").write_text("a file in the way")

    with pytest.raises(StoreError, match="not kept"):
        LiveRun(tmp_path, kind="shadow", plan={}, clock=clock)
