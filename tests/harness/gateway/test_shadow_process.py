"""Over real processes and sockets; what a shadow does inside is the matter of test_shadow.py."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.clock import SystemClock
from harness.config import GatewaySettings, QwenSettings, Settings, ShadowSettings
from harness.exchanges import Exchange, Lane
from harness.gateway.copies import Copies
from harness.gateway.shadow_process import ShadowProcess
from harness.store.journal import JournalFile
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from harness.store.seal import seal
from tests.builders import an_exchange
from tests.harness.gateway.copying import FAST, a_copy
from tests.scripted_shadow import behaving

PATIENCE_S = 300.0  # it gets a processor only when nobody else wants it, and these machines are busy


def a_process(home: Path, name: str = "healthy", **changes: Any) -> ShadowProcess:
    options = {each: changes.pop(each) for each in ("silent_s", "processes") if each in changes}
    settings = Settings(
        home=home,
        qwen=QwenSettings(quota=FAST, api_key="sk-of-a-test"),
        gateway=GatewaySettings(shadow=ShadowSettings(**changes)),
    )
    lanes = {Lane.CONTROL: "modal", Lane.CANDIDATE: "qwen"}
    return ShadowProcess(lanes, settings, clock=SystemClock(), command=behaving(name), **options)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not done():
            await asyncio.sleep(0.01)


async def all_done(shadow: Copies) -> None:
    await until(lambda: shadow.counts.offered == shadow.counts.dropped + shadow.counts.kept + shadow.counts.lost)


def is_there(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


def sent(home: Path) -> int:
    """How many paid calls are under way, by the journals."""
    return sum(run.journal.read_text().count('"type":"intent"') for run in list_runs(home))


def ledger_of(home: Path) -> Ledger:
    (run,) = list_runs(home)
    seal(run)
    return Ledger.of(JournalFile(run.journal))


async def test_a_copy_becomes_a_pair_of_a_sealed_run_and_its_outcome_comes_back(tmp_path: Path) -> None:
    told: list[Exchange | None] = []

    async with a_process(tmp_path) as shadow:
        assert Lane.CANDIDATE in shadow
        assert all(shadow.offer(a_copy(f"r{n}", done=told.append)) for n in range(3))
        await all_done(shadow)
        assert (shadow.counts.kept, shadow.counts.sent, shadow.spent_microusd) == (3, 3, 3_000)
        assert shadow.pid is not None
        if sys.platform == "linux":
            assert os.sched_getscheduler(shadow.pid) == os.SCHED_IDLE

    ledger = ledger_of(tmp_path)
    assert ledger.outcomes() == {"control": Counter(ok=3), "candidate": Counter(ok=3)}
    assert len(list((tmp_path / "audio").glob("*/*.wav"))) == 6
    assert [each is not None and (each.provider, each.outcome) for each in told] == [("qwen", "ok")] * 3


async def test_nothing_is_started_for_a_gateway_that_copies_nothing(tmp_path: Path) -> None:
    async with a_process(tmp_path, "never starts") as shadow:
        await asyncio.sleep(0.2)

        assert (shadow.pid, shadow.counts.offered, shadow.waiting) == (None, 0, 0)


async def test_what_finds_no_room_is_dropped_and_counted(tmp_path: Path) -> None:
    told: list[Exchange | None] = []

    async with a_process(tmp_path, "hangs", queue=3, concurrency=2) as shadow:
        taken = [shadow.offer(a_copy(f"r{n}", done=told.append)) for n in range(50)]
        assert (sum(taken), shadow.counts.dropped, shadow.waiting) == (5, 45, 3)
        await until(lambda: sent(tmp_path) == 2)

    assert told == [None] * 5
    assert ledger_of(tmp_path).missing == []  # what was under way has an outcome


async def test_audio_that_waits_is_bounded_as_well(tmp_path: Path) -> None:
    big = {Lane.CONTROL: an_exchange(audio=b"a" * 30_000_000)}

    async with a_process(tmp_path, "stops") as shadow:
        taken = [shadow.offer(a_copy(f"r{n}", exchanges=big)) for n in range(5)]

    assert taken == [True, True, False, False, False]


async def test_a_process_that_dies_loses_its_copies_and_another_one_begins(tmp_path: Path) -> None:
    told: list[Exchange | None] = []

    async with a_process(tmp_path, "hangs") as shadow:
        shadow.offer(a_copy("r1", done=told.append))
        await until(lambda: sent(tmp_path) == 1)
        assert shadow.pid is not None
        os.kill(shadow.pid, signal.SIGKILL)
        await until(lambda: shadow.counts.lost == 1)
        assert not shadow.offer(a_copy("at once"))
        await until(lambda: shadow.offer(a_copy("r2")))
        await until(lambda: sent(tmp_path) == 2)

    assert told == [None]
    for run in list_runs(tmp_path):
        seal(run)
        assert Ledger.of(JournalFile(run.journal)).missing == []


async def test_a_process_that_hangs_is_ended(tmp_path: Path) -> None:
    async with a_process(tmp_path, "stops", silent_s=1.0) as shadow:
        shadow.offer(a_copy("r1"))
        await until(lambda: shadow.pid is not None)
        pid = shadow.pid
        await until(lambda: shadow.counts.lost == 1)

        assert not is_there(pid)


async def test_one_that_cannot_start_is_tried_again_later_and_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with a_process(tmp_path, "never starts") as shadow:
        shadow.offer(a_copy("r1"))
        await until(lambda: shadow.counts.lost == 1)

    assert (
        '"event":"copies cannot be carried out","error":"CUTOVER_PRICES: there is no such file"'
        in capfd.readouterr().err
    )


async def test_a_gateway_that_is_killed_takes_it_along(tmp_path: Path) -> None:
    """Its socket closes, and what was under way is written down."""
    shadow = a_process(tmp_path, "hangs")
    async with shadow:
        shadow.offer(a_copy("r1"))
        await until(lambda: sent(tmp_path) == 1)
        pid = shadow.pid
        assert shadow._writer is not None
        shadow._writer.transport.abort()
        await until(lambda: not is_there(pid))

    assert ledger_of(tmp_path).missing == []


async def test_a_provider_that_crashes_ends_one_copy(tmp_path: Path) -> None:
    async with a_process(tmp_path, "crashes") as shadow:
        shadow.offer(a_copy("r1"))
        await all_done(shadow)
        assert shadow.counts.lost == 1
        shadow.note_throttled(Lane.CANDIDATE)
        shadow.offer(a_copy("r2"))
        await all_done(shadow)

    assert ledger_of(tmp_path).outcomes()["candidate"] == Counter(unknown_outcome=2)


async def test_the_days_money_holds_across_processes(tmp_path: Path) -> None:
    async with a_process(tmp_path, budget_usd_per_day=0.0025) as shadow:
        shadow.offer(a_copy("r1"))
        await all_done(shadow)
        shadow.offer(a_copy("r2"))
        await all_done(shadow)
        assert (shadow.spent_microusd, shadow.counts.withheld) == (1_000, 1)

    async with a_process(tmp_path, budget_usd_per_day=0.0025) as shadow:
        assert shadow.spent_microusd == 1_000


async def test_a_text_that_cannot_be_sent_is_dropped(tmp_path: Path) -> None:
    told: list[Exchange | None] = []

    async with a_process(tmp_path) as shadow:
        shadow.offer(a_copy("r1", text="half a pair: \ud800", done=told.append))
        shadow.offer(a_copy("r2"))
        await all_done(shadow)

    assert (told, shadow.counts.dropped, shadow.counts.kept) == ([None], 1, 1)


async def test_a_callback_that_crashes_ends_nothing(tmp_path: Path) -> None:
    def crash(_: Exchange | None) -> None:
        raise RuntimeError("a bug in the live path")

    async with a_process(tmp_path) as shadow:
        for number in range(2):
            shadow.offer(a_copy(f"r{number}", done=crash))
        await all_done(shadow)

    assert shadow.counts.kept == 2


async def test_nothing_is_taken_before_it_opens_and_after_it_closed(tmp_path: Path) -> None:
    shadow = a_process(tmp_path)

    before = shadow.offer(a_copy())
    async with shadow:
        pass

    assert [before, shadow.offer(a_copy())] == [False, False]
    assert shadow.counts.dropped == 2


async def test_a_program_that_is_not_there_costs_copies_and_no_more(tmp_path: Path) -> None:
    shadow = a_process(tmp_path)
    shadow._command = (str(tmp_path / "none"),)

    async with shadow:
        shadow.offer(a_copy("r1"))
        await until(lambda: shadow.counts.lost == 1)


async def test_closing_at_once_hands_nothing_over_any_more(tmp_path: Path) -> None:
    async with a_process(tmp_path) as shadow:
        shadow.offer(a_copy("r1"))
        await all_done(shadow)
        shadow.offer(a_copy("r2"))

    assert (shadow.counts.kept, shadow.counts.dropped) == (1, 1)
