import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.clock import FakeClock, SystemClock
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Exchange, Lane
from harness.gateway.live_run import balance_runs
from harness.gateway.shadow import Shadow
from harness.speech import SpeechRequest
from harness.store.journal import JournalFile
from harness.store.ledger import Ledger
from harness.store.runs import list_runs
from harness.store.seal import seal
from tests.builders import an_exchange
from tests.harness.gateway.copying import a_copy, a_shadow
from tests.scripted import ScriptedProvider


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def ledgers(home: Path) -> list[Ledger]:
    """What the journals of all runs add up to, each of which can be sealed."""
    for run in list_runs(home):
        seal(run)
    return [Ledger.of(JournalFile(run.journal)) for run in list_runs(home)]


TURN_S = 0.01  # how finely these tests see time


async def until(done: Callable[[], bool], clock: FakeClock) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, "it never happened"
        await clock.sleep(TURN_S)
        await asyncio.sleep(0.001)  # disk work runs in threads, in real time


async def all_done(shadow: Shadow, clock: FakeClock) -> None:
    counts = shadow.counts
    await until(lambda: counts.offered == counts.dropped + counts.kept + counts.lost, clock)


async def test_a_copy_and_what_the_caller_got_become_a_pair_of_a_sealed_run(tmp_path: Path, clock: FakeClock) -> None:
    qwen = ScriptedProvider("qwen", clock=clock)

    async with a_shadow(tmp_path, clock, qwen=qwen) as shadow:
        assert shadow.offer(a_copy("r1"))
        assert shadow.offer(a_copy("r2"))
        await all_done(shadow, clock)

    (ledger,) = ledgers(tmp_path)
    assert ledger.plan["kind"] == "shadow"
    assert ledger.outcomes() == {"control": Counter(ok=2), "candidate": Counter(ok=2)}
    assert ledger.missing == []
    assert ledger.spent_microusd() == 2_000
    assert qwen.sent == Counter({"Text of r1.": 1, "Text of r2.": 1})
    assert len(list((tmp_path / "audio").glob("*/*.wav"))) == 4
    assert (shadow.counts.kept, shadow.counts.sent, shadow.spent_microusd) == (2, 2, 2_000)


async def test_what_qwen_answered_goes_to_a_run_of_its_own_with_a_copy_to_legacy(
    tmp_path: Path, clock: FakeClock
) -> None:
    live = an_exchange(provider="qwen", audio=b"live")
    fallen_back = {Lane.CANDIDATE: an_exchange(provider="qwen", failed=ErrorKind.TIMEOUT_READ), Lane.CONTROL: live}

    async with a_shadow(tmp_path, clock) as shadow:
        shadow.offer(a_copy("live", exchanges={Lane.CANDIDATE: live}, to=Lane.CONTROL))
        shadow.offer(a_copy("alone", exchanges={Lane.CANDIDATE: live}, to=None))
        shadow.offer(a_copy("fell", exchanges=fallen_back, to=None))
        await all_done(shadow, clock)

    (ledger,) = ledgers(tmp_path)
    assert ledger.plan["kind"] == "canary"
    assert ledger.outcomes() == {"candidate": Counter(ok=2, timeout_read=1), "control": Counter(ok=2)}
    assert shadow.counts.sent == 1


async def test_a_full_queue_drops_and_counts_and_everybody_is_told(tmp_path: Path, clock: FakeClock) -> None:
    told: list[Exchange | None] = []
    qwen = ScriptedProvider("qwen", clock=clock, latency_s=1e9)
    shadow = a_shadow(tmp_path, clock, qwen=qwen, queue=3, concurrency=1)

    async with shadow:
        taken = [shadow.offer(a_copy(f"r{n}", done=told.append)) for n in range(50)]

    assert sum(taken) == 3
    assert shadow.counts.offered == 50 == shadow.counts.dropped + shadow.counts.kept + shadow.counts.lost
    assert told == [None] * 3


async def test_nothing_is_taken_before_it_opens_and_after_it_closed(tmp_path: Path, clock: FakeClock) -> None:
    shadow = a_shadow(tmp_path, clock)

    before = shadow.offer(a_copy())
    async with shadow:
        pass

    assert [before, shadow.offer(a_copy())] == [False, False]
    assert shadow.counts.dropped == 2


async def test_a_provider_that_crashes_ends_one_copy_and_not_the_worker(tmp_path: Path, clock: FakeClock) -> None:
    def crash(request: SpeechRequest) -> Exchange:
        if request.text == "Text of r0.":
            raise RuntimeError("a bug in the adapter")
        return an_exchange(provider="qwen")

    async with a_shadow(tmp_path, clock, qwen=ScriptedProvider("qwen", clock=clock, answer=crash), concurrency=1) as it:
        for n in range(3):
            it.offer(a_copy(f"r{n}"))
        await all_done(it, clock)

    (ledger,) = ledgers(tmp_path)
    assert ledger.outcomes()["candidate"] == Counter(ok=2, unknown_outcome=1)
    assert ledger.missing == []
    assert ledger.spent_microusd() == 2 * 1_000 + 2_000  # what crashed counts at its worst
    assert it.counts.lost == 1


async def test_a_callback_that_crashes_ends_nothing(tmp_path: Path, clock: FakeClock) -> None:
    def crash(_: Exchange | None) -> None:
        raise RuntimeError("a bug in the live path")

    async with a_shadow(tmp_path, clock, concurrency=1) as shadow:
        for n in range(3):
            shadow.offer(a_copy(f"r{n}", done=crash))
        await all_done(shadow, clock)

    assert shadow.counts.kept == 3


async def test_a_probe_gets_its_outcome_and_one_that_was_not_sent_gets_none(tmp_path: Path, clock: FakeClock) -> None:
    told: list[Exchange | None] = []
    reasons: list[str | None] = [None, "KILL"]

    async with a_shadow(tmp_path, clock, concurrency=1, kill_reason=lambda: reasons.pop(0)) as shadow:
        for n in range(2):
            shadow.offer(a_copy(f"r{n}", done=told.append))
        await all_done(shadow, clock)

    assert told[0] is not None
    assert told[0].outcome == "ok"
    assert told[1] is None
    assert shadow.counts.withheld == 1
    (ledger,) = ledgers(tmp_path)
    assert ledger.outcomes()["candidate"] == Counter(ok=1, cancelled=1)


async def test_the_days_money_holds_across_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    outcomes: Counter[str] = Counter()
    for _ in range(2):
        async with a_shadow(tmp_path, clock, budget_usd_per_day=0.005, concurrency=1) as shadow:
            for n in range(5):
                shadow.offer(a_copy(f"{clock.monotonic()}-{n}".replace("/", "")))
            await all_done(shadow, clock)
        clock.advance(1.0)
    for ledger in ledgers(tmp_path):
        outcomes += ledger.outcomes()["candidate"]

    assert outcomes == Counter(ok=4, budget=6)  # each may cost 2,000 of 5,000 and costs 1,000


async def test_a_journal_that_breaks_loses_copies_and_is_tried_again_after_a_minute(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("no space")

    async with a_shadow(tmp_path, clock, concurrency=1) as shadow:
        with monkeypatch.context() as patch:
            patch.setattr("harness.gateway.live_run.LiveRun.__init__", full)
            shadow.offer(a_copy("r0"))
            await all_done(shadow, clock)
        shadow.offer(a_copy("r1"))
        await all_done(shadow, clock)
        lost = shadow.counts.lost
        clock.advance(61.0)
        shadow.offer(a_copy("r2"))
        await all_done(shadow, clock)

    assert lost == 2
    assert shadow.counts.kept == 1
    assert [row["capture_id"] for row in ledgers(tmp_path)[0].captures] == ["r2"]


def _shadow_until_killed(home: Path, ready: str) -> None:
    async def run() -> None:
        clock = SystemClock()
        qwen = ScriptedProvider("qwen", clock=clock, latency_s=3_600.0)
        async with a_shadow(home, clock, qwen=qwen, concurrency=4) as shadow:
            for n in range(10):
                shadow.offer(a_copy(f"r{n}"))
            while len(qwen.sent) < 4:
                await clock.sleep(0.01)
            await asyncio.to_thread(Path(ready).touch)
            await clock.sleep(3_600.0)

    asyncio.run(run())


def test_a_ledger_balances_after_a_kill(tmp_path: Path, clock: FakeClock) -> None:
    home, ready = tmp_path / "home", tmp_path / "ready"
    process = multiprocessing.get_context("spawn").Process(target=_shadow_until_killed, args=(home, str(ready)))
    process.start()
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)

    process.kill()
    process.join(10)
    (run,) = list_runs(home)
    before = Ledger.of(JournalFile(run.journal))
    balance_runs(home, clock=clock)

    (ledger,) = ledgers(home)
    assert len(before.missing) == 4
    assert ledger.missing == []
    assert ledger.outcomes() == {"control": Counter(ok=4), "candidate": Counter(unknown_outcome=4)}
    assert ledger.spent_microusd() == 4 * 2_000


async def test_old_runs_go_when_the_gateway_begins_and_when_a_day_is_over(tmp_path: Path, clock: FakeClock) -> None:
    def runs() -> int:
        return len(list_runs(tmp_path))

    async with a_shadow(tmp_path, clock, keep_days=5) as shadow:
        for day in range(2):
            clock.advance(day * 86_400.0)
            shadow.offer(a_copy(f"day-{day}"))
            await all_done(shadow, clock)
    assert runs() == 2

    clock.advance(10 * 86_400.0)
    async with a_shadow(tmp_path, clock, keep_days=5) as shadow:
        assert runs() == 0
        shadow.offer(a_copy("day-11"))
        await all_done(shadow, clock)
        clock.advance(6 * 86_400.0)
        shadow.offer(a_copy("day-17"))
        await all_done(shadow, clock)
        await until(lambda: runs() == 1, clock)
