import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from harness.clock import Clock, FakeClock
from harness.config import QuotaSettings, Settings
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Capture, Exchange, Failure, Lane
from harness.progress import ProgressReport
from harness.speech import Operation, SpeechRequest, VoiceKind
from harness.store.balance import Balance
from harness.store.blobs import BlobStore
from harness.store.journal import Journal, JournalFile
from harness.store.ledger import Ledger
from harness.store.logbook import Logbook
from harness.store.rows import capture_row
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.plan import ReplayPlan
from replay.quota import Quota
from replay.routes import Route
from replay.runner import Replay
from tests.builders import a_capture, a_request, a_voice, an_exchange
from tests.replay.test_plan import TARGETS
from tests.scripted import ScriptedProvider
from tests.virtual_time import VirtualClock, run_in_virtual_time

PLENTY = 10**9


@pytest.fixture(autouse=True)
def _synced_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync without a thread: a fake clock runs on while a real disk works, and the order of events would be chance."""

    async def commit(journal: Journal) -> None:
        journal.sync()

    monkeypatch.setattr(Journal, "commit", commit)


def captures(count: int) -> list[Capture]:
    return [a_capture(f"c{number}", request=a_request(f"text {number}")) for number in range(count)]


class Bench:
    """A home folder in which the same plan can be run again and again, as after a crash."""

    def __init__(
        self,
        home: Path,
        plan_captures: list[Capture],
        *,
        repeat_share: float = 0.0,
        warm_up: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.home = home
        self.clock = clock or FakeClock()
        self.legacy = ScriptedProvider("modal", clock=self.clock)
        self.qwen = ScriptedProvider("qwen", clock=self.clock, keeps_voices=True)
        self.plan = ReplayPlan(
            captures=plan_captures,
            capture_sha256="s" * 64,
            targets=TARGETS,
            seed=1,
            repeat_share=repeat_share,
            repetitions=1,
            price_version="p",
            warm_up=warm_up,
        )

    @asynccontextmanager
    async def replay(
        self,
        *,
        cap_microusd: int = PLENTY,
        concurrency: int = 4,
        resend_unknown: bool = False,
        qwen_per_second: float = 10**6,
    ) -> AsyncIterator[Replay]:
        quota = QuotaSettings(per_second=10**6, per_minute=10**6, share=1.0, ramp_s=0.0)
        scarce = quota.model_copy(update={"per_second": qwen_per_second})
        with Logbook(self.home / "journal.jsonl", clock=self.clock) as book:
            if not book.balance.plan:
                book.write({"type": "plan", "run_id": "r", "started_at": "t", "plan": {}})
                for entry in self.plan.entries():
                    legs = [{"key": leg.key, "lane": leg.lane, "position": leg.position} for leg in entry.legs]
                    book.write({"type": "planned", "capture": capture_row(entry.capture), "legs": legs})
            control = Route(provider=self.legacy, quota=Quota(quota), region="us-east", deadline_s=60.0)
            candidate = Route(
                provider=self.qwen, quota=Quota(scarce, clock=self.clock), region="ap-southeast-1", deadline_s=60.0
            )
            yield Replay(
                plan=self.plan,
                book=book,
                routes={Lane.CONTROL: control, Lane.REPEAT: control, Lane.CANDIDATE: candidate},
                budget=Budget(cap_microusd, spent=book.balance.spent_by_provider()),
                switch=KillSwitch(Settings(home=self.home)),
                blobs=BlobStore(self.home / "audio"),
                clock=self.clock,
                concurrency=concurrency,
                progress=ProgressReport("replay", 1, stream=StringIO(), clock=self.clock),
                resend_unknown=resend_unknown,
            )

    def ledger(self) -> Ledger:
        """What the journal holds."""
        return Ledger.of(JournalFile(self.home / "journal.jsonl"))

    async def run(self, **options: object) -> Mapping[str, Mapping[str, int]]:
        async with self.replay(**options) as replay:  # type: ignore[arg-type]
            return (await replay.run()).outcomes()


async def test_every_leg_is_sent_once_and_has_one_outcome(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(20), repeat_share=0.5)

    outcomes = await bench.run()

    repeats = outcomes["repeat"]["ok"]
    assert outcomes == {"control": {"ok": 20}, "candidate": {"ok": 20}, "repeat": {"ok": repeats}}
    assert bench.legacy.sent.total() == 20 + repeats
    assert set(bench.qwen.sent.values()) == {1}


async def test_both_legs_of_a_capture_start_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(6))

    await bench.run(concurrency=2)

    apart = [abs(a - b) for a, b in zip(bench.legacy.sent_at_s, bench.qwen.sent_at_s, strict=True)]
    assert max(apart) <= 0.05


async def test_no_more_captures_are_under_way_than_allowed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(20))

    await bench.run(concurrency=3)

    assert bench.qwen.most_under_way == 3


async def test_audio_is_stored_before_its_row_and_under_its_hash(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(1))

    async with bench.replay() as replay:
        await replay.run()

    row = bench.ledger().results["c0/0/candidate"]
    assert BlobStore(tmp_path / "audio").get(row["audio_sha256"], row["audio_extension"]) == b"qwen:text 0"


async def test_a_full_disk_ends_the_run_with_one_sentence_and_nothing_is_paid_twice_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, captures(20))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(BlobStore, "put_all", full)
        with pytest.raises(StoreError, match="No space left on device; free space, then run the same command"):
            await bench.run()
    sent = bench.qwen.sent.copy()
    outcomes = await bench.run()

    assert outcomes["candidate"] == {"ok": 20 - sent.total(), "unknown_outcome": sent.total()}
    assert max(bench.qwen.sent.values()) == 1


async def test_a_finished_run_sends_nothing_when_run_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(5))
    first = await bench.run()

    again = await bench.run()

    assert first == again
    assert bench.qwen.sent.total() == 5


async def test_a_stopped_run_finishes_what_is_under_way_and_goes_on_without_paying_twice(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(20))
    async with bench.replay(concurrency=4) as replay:
        bench.qwen._answer = lambda request: replay.stop("asked") or an_exchange(provider="qwen")  # type: ignore[func-returns-value]
        stopped = await replay.run()
        outcomes = stopped.outcomes()

    assert outcomes["candidate"] == {"ok": 4, "missing": 16}
    assert outcomes["control"] == {"ok": 4, "missing": 16}
    assert await bench.run() == {"control": {"ok": 20}, "candidate": {"ok": 20}}
    assert set(bench.qwen.sent.values()) == set(bench.legacy.sent.values()) == {1}


async def killed_in_flight(bench: Bench) -> None:
    """Leave a journal as `kill -9` would: calls out, no answers."""
    async with bench.replay(concurrency=3) as replay:
        task = asyncio.ensure_future(replay.run())
        while bench.qwen.sent.total() < 3 or bench.legacy.sent.total() < 3:
            await asyncio.sleep(0)
        journal = (bench.home / "journal.jsonl").read_bytes()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (bench.home / "journal.jsonl").write_bytes(journal)


async def test_what_was_sent_before_a_kill_is_counted_as_spent_and_not_sent_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(10))
    await killed_in_flight(bench)

    async with bench.replay() as replay:
        balance = await replay.run()

    assert balance.outcomes()["candidate"] == {"ok": 7, "unknown_outcome": 3}
    assert set(bench.qwen.sent.values()) == {1}
    assert replay.budget.spent_microusd == balance.spent_microusd() == 6 * 2_000 + 14 * 1_000
    assert {row["service_s"] for row in bench.ledger().results.values() if row["outcome"] == "unknown_outcome"} == {
        None
    }


async def test_what_was_sent_before_a_kill_is_sent_again_when_asked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(10))
    await killed_in_flight(bench)

    outcomes = await bench.run(resend_unknown=True)

    assert outcomes["candidate"] == {"ok": 10}
    assert sorted(bench.qwen.sent.values()) == [1] * 7 + [2] * 3


async def test_the_budget_ends_the_sending_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(10))

    short = await bench.run(cap_microusd=8_000, concurrency=1)
    sent = bench.qwen.sent.total() + bench.legacy.sent.total()
    enough = await bench.run()

    assert sum(short["control"].values()) == sum(short["candidate"].values()) == 10
    assert short["candidate"]["budget"] > 0
    assert sent * 1_000 <= 8_000
    assert enough == {"control": {"ok": 10}, "candidate": {"ok": 10}}
    assert set(bench.qwen.sent.values()) == {1}


@pytest.mark.parametrize("kind", [ErrorKind.AUTH, ErrorKind.BILLING, ErrorKind.QUOTA])
async def test_a_failure_that_every_call_would_share_stops_the_run(tmp_path: Path, kind: ErrorKind) -> None:
    bench = Bench(tmp_path, captures(50))
    bench.qwen._answer = lambda request: an_exchange(provider="qwen", failed=kind)

    async with bench.replay(concurrency=2) as replay:
        balance = await replay.run()

    assert balance.outcomes()["candidate"] == {kind.value: 2, "missing": 48}
    assert f"qwen answered {kind.value}" in (replay.stopped_because or "")


async def test_voices_are_made_once_before_anything_is_timed(tmp_path: Path) -> None:
    voice = a_voice(VoiceKind.DESIGN)
    bench = Bench(tmp_path, [a_capture(f"c{n}", request=a_request(f"t{n}", voice=voice)) for n in range(5)])

    async with bench.replay() as replay:
        balance = await replay.run()

    assert bench.qwen.voices == [voice.id]
    assert bench.legacy.voices == []
    assert set(balance.voices) == {f"at-qwen-{voice.id}"}


async def test_a_voice_that_was_made_only_to_be_measured_is_deleted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [a_capture(request=a_request(operation=Operation.DESIGN))])

    def answer(request: SpeechRequest) -> Exchange:
        return an_exchange(provider="qwen", operation=Operation.DESIGN, voice_id="made-1")

    bench.qwen._answer = answer
    async with bench.replay() as replay:
        balance = await replay.run()

    assert bench.qwen.deleted == ["made-1"]
    assert balance.voices == {}


async def test_without_consent_a_reference_is_sent_to_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [a_capture(request=a_request("", operation=Operation.CLONE))])

    async with bench.replay() as replay:
        balance = await replay.run()

    assert balance.outcomes() == {"control": {"unsupported": 1}, "candidate": {"unsupported": 1}}
    assert bench.qwen.sent.total() == bench.legacy.sent.total() == 0
    assert balance.paid_calls == 0


async def test_the_ledger_of_a_run_is_what_its_journal_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(8), repeat_share=0.5)
    async with bench.replay() as replay:
        live = await replay.run()

    async with bench.replay() as reopened:
        read = reopened.book.balance

    assert live == read


async def test_the_kill_switch_stops_the_sending_within_a_second_and_the_rest_stays_to_do(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(50))
    pulled_at_s: list[float] = []

    def answer(request: SpeechRequest) -> Exchange:
        if bench.qwen.sent.total() >= 8 and not pulled_at_s:
            (tmp_path / "KILL").touch()
            pulled_at_s.append(bench.clock.monotonic())
        return an_exchange(provider="qwen")

    bench.qwen._answer = answer
    async with bench.replay(concurrency=4) as replay:
        await replay.run()
    sent_after = [at for at in bench.qwen.sent_at_s if at > pulled_at_s[0] + 1.0]
    (tmp_path / "KILL").unlink()
    outcomes = await bench.run()

    assert sent_after == []
    assert "KILL exists" in (replay.stopped_because or "")
    assert outcomes == {"control": {"ok": 50}, "candidate": {"ok": 50}}
    assert set(bench.qwen.sent.values()) == {1}


@pytest.fixture
def virtual(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """Time for quotas too: asyncio-throttle asks the machine."""
    monkeypatch.setattr(time, "monotonic", lambda: asyncio.get_running_loop().time())
    return VirtualClock()


def test_where_one_quota_is_scarce_both_legs_wait_for_it_and_still_start_together(
    tmp_path: Path, virtual: VirtualClock
) -> None:
    bench = Bench(tmp_path, captures(12), clock=virtual)

    async def run() -> None:
        async with bench.replay(concurrency=6, qwen_per_second=2.0) as replay:
            balance = await replay.run()
            assert replay.routes[Lane.CANDIDATE].quota.waited_s > 5.0
            assert balance.pacing["quota_waited_s"]["qwen"] > 5.0

    run_in_virtual_time(run())

    apart = [abs(a - b) for a, b in zip(bench.legacy.sent_at_s, bench.qwen.sent_at_s, strict=True)]
    assert max(apart) <= 0.05
    assert max(bench.qwen.sent_at_s) >= 5.0  # twelve at two a second


@pytest.mark.parametrize("how", ["file", "stop"])
def test_what_waits_for_quota_when_sending_is_stopped_is_let_go_within_a_second(
    tmp_path: Path, virtual: VirtualClock, how: str
) -> None:
    bench = Bench(tmp_path, captures(12), clock=virtual)
    ended_at_s: list[float] = []

    async def pull(replay: Replay) -> None:
        await virtual.sleep(2.6)
        if how == "file":
            (tmp_path / "KILL").touch()
        else:
            replay.stop("asked to stop")

    async def run() -> Mapping[str, Mapping[str, int]]:
        async with bench.replay(concurrency=6, qwen_per_second=1.0) as replay, asyncio.TaskGroup() as group:
            group.create_task(pull(replay))
            balance = await replay.run()
            ended_at_s.append(virtual.monotonic())
            return balance.outcomes()

    outcomes = run_in_virtual_time(run())

    assert outcomes["candidate"] == outcomes["control"] == {"ok": 3, "missing": 9}
    assert ended_at_s[0] <= 2.6 + 1.0 + 1.0  # a second to notice, and one for the call under way


def test_a_warm_up_is_sent_first_is_paid_and_is_no_leg(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(5), warm_up=2, clock=VirtualClock())

    async def run() -> Balance:
        async with bench.replay() as replay:
            return await replay.run()

    balance = run_in_virtual_time(run())

    warm = [call for call in bench.ledger().calls.values() if call["leg"].startswith("warm-up:")]
    assert balance.warm_ups == len(warm) == 4
    assert balance.outcomes() == {"control": {"ok": 5}, "candidate": {"ok": 5}}
    assert bench.qwen.sent == {"text 0": 2, "text 1": 2, "text 2": 1, "text 3": 1, "text 4": 1}
    assert balance.spent_microusd() == 14 * 1_000
    first_timed_s = sorted(bench.qwen.sent_at_s)[2]
    assert first_timed_s >= 1.0  # when the warm-up had been answered


def test_a_run_resumed_after_its_last_leg_does_not_warm_up_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(3), warm_up=2, clock=VirtualClock())

    first = run_in_virtual_time(bench.run())
    sent = bench.qwen.sent.total()
    again = run_in_virtual_time(bench.run())

    assert (first, sent) == (again, bench.qwen.sent.total())


async def test_a_warm_up_that_every_call_would_share_the_failure_of_stops_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(5), warm_up=3)
    bench.qwen._answer = lambda request: an_exchange(provider="qwen", failed=ErrorKind.AUTH)

    async with bench.replay(concurrency=1) as replay:
        balance = await replay.run()

    assert "qwen answered auth" in (replay.stopped_because or "")
    assert balance.outcomes() == {"control": {"missing": 5}, "candidate": {"missing": 5}}


async def test_no_room_in_our_own_quota_does_not_slow_us_down_as_a_throttling_provider_would(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(2))
    ours = an_exchange(provider="qwen", failed=ErrorKind.RATE_LIMITED)
    assert isinstance(ours.result, Failure)
    ours = replace(ours, result=replace(ours.result, code="local.quota"))
    answers = iter([ours, an_exchange(provider="qwen", failed=ErrorKind.RATE_LIMITED)])
    bench.qwen._answer = lambda request: next(answers)

    async with bench.replay(concurrency=1) as replay:
        await replay.run()

    assert replay.routes[Lane.CANDIDATE].quota.throttled == 1
