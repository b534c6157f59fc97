from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import StoreError
from harness.gateway.live_run import MAX_CAPTURES
from harness.gateway.live_runs import LiveRuns
from harness.store.runs import list_runs

DAY_S = 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def disk() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.fixture
def runs(tmp_path: Path, clock: FakeClock, disk: Executor) -> LiveRuns:
    return LiveRuns(tmp_path, plan=dict, keep_days=5, disk=disk, clock=clock)


def still_open(home: Path) -> int:
    return len(list((home / "runs").glob("*/live.open")))


async def test_exchanges_of_a_kind_go_to_one_run_and_those_of_another_to_another(runs: LiveRuns) -> None:
    async with runs.writing("shadow") as first, runs.writing("shadow") as second, runs.writing("canary") as third:
        assert first is second
        assert first is not third
    await runs.close()


async def test_a_new_day_is_a_new_run_and_the_old_one_is_closed(
    runs: LiveRuns, tmp_path: Path, clock: FakeClock
) -> None:
    for _ in range(2):
        async with runs.writing("shadow"):
            pass
        clock.advance(DAY_S)

    assert (len(list_runs(tmp_path)), still_open(tmp_path)) == (2, 1)
    await runs.close()
    assert still_open(tmp_path) == 0


async def test_a_full_run_is_followed_by_another(runs: LiveRuns, clock: FakeClock) -> None:
    async with runs.writing("shadow") as full:
        full.captures = MAX_CAPTURES
    clock.advance(1.0)

    async with runs.writing("shadow") as following:
        assert following is not full
    await runs.close()


async def test_a_run_that_is_over_stays_open_as_long_as_somebody_writes_it(
    runs: LiveRuns, tmp_path: Path, clock: FakeClock
) -> None:
    async with runs.writing("shadow") as yesterdays:
        clock.advance(DAY_S)
        async with runs.writing("shadow"):
            pass
        assert still_open(tmp_path) == 2
        yesterdays.write({"type": "note"})

    assert still_open(tmp_path) == 1
    await runs.close()


async def test_after_a_run_broke_off_another_is_tried_in_a_minute(
    runs: LiveRuns, tmp_path: Path, clock: FakeClock
) -> None:
    async with runs.writing("shadow"):
        await runs.break_off("shadow")
        assert still_open(tmp_path) == 1  # somebody is still at it
    assert still_open(tmp_path) == 0

    with pytest.raises(StoreError, match="waiting before another is tried"):
        async with runs.writing("shadow"):
            pass
    clock.advance(61.0)
    async with runs.writing("shadow"):
        pass
    await runs.close()
    assert len(list_runs(tmp_path)) == 2


async def test_what_cannot_be_opened_is_said_and_leaves_nothing(
    runs: LiveRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("harness.gateway.live_run.LiveRun.__init__", full)
        with pytest.raises(StoreError, match="no space"):
            async with runs.writing("shadow"):
                pass

    async with runs.writing("shadow"):
        pass
    await runs.close()
    assert len(list_runs(tmp_path)) == 1


async def test_a_journal_that_cannot_be_closed_is_an_error_in_the_log(
    runs: LiveRuns, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise StoreError("no space")

    async with runs.writing("shadow") as run:
        monkeypatch.setattr(run, "close", full)

    await runs.close()

    assert [record.getMessage() for record in caplog.records] == ["live run not closed"]


async def test_old_runs_go_when_a_day_is_over(runs: LiveRuns, tmp_path: Path, clock: FakeClock, disk: Executor) -> None:
    for _ in range(2):
        async with runs.writing("shadow"):
            pass
        clock.advance(6 * DAY_S)
    async with runs.writing("shadow"):
        pass
    await runs.close()
    disk.shutdown()  # what was begun is done

    assert len(list_runs(tmp_path)) == 1
