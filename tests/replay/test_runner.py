import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings, Settings
from harness.errors import ErrorKind
from harness.exchanges import Capture, Exchange, Lane
from harness.progress import ProgressReport
from harness.speech import Operation, SpeechRequest, VoiceKind
from harness.store.blobs import BlobStore
from harness.store.journal import Journal
from harness.store.logbook import Logbook
from harness.store.rows import capture_row
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.plan import ReplayPlan
from replay.quota import Quota
from replay.runner import Replay, Route
from tests.builders import a_capture, a_request, a_voice, an_exchange
from tests.replay.test_plan import TARGETS
from tests.scripted import ScriptedProvider

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

    def __init__(self, home: Path, plan_captures: list[Capture], *, repeat_share: float = 0.0) -> None:
        self.home = home
        self.clock = FakeClock()
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
        )

    @asynccontextmanager
    async def replay(
        self, *, cap_microusd: int = PLENTY, concurrency: int = 4, resend_unknown: bool = False
    ) -> AsyncIterator[Replay]:
        quota = QuotaSettings(per_second=10**6, per_minute=10**6, share=1.0, ramp_s=0.0)
        with Logbook(self.home / "journal.jsonl", clock=self.clock) as book:
            if not book.ledger.plan:
                book.write({"type": "plan", "run_id": "r", "started_at": "t", "plan": {}})
                for entry in self.plan.entries():
                    legs = [{"key": leg.key, "lane": leg.lane, "position": leg.position} for leg in entry.legs]
                    book.write({"type": "planned", "capture": capture_row(entry.capture), "legs": legs})
            control = Route(provider=self.legacy, quota=Quota(quota), region="us-east", deadline_s=60.0)
            candidate = Route(provider=self.qwen, quota=Quota(quota), region="ap-southeast-1", deadline_s=60.0)
            yield Replay(
                plan=self.plan,
                book=book,
                routes={Lane.CONTROL: control, Lane.REPEAT: control, Lane.CANDIDATE: candidate},
                budget=Budget(cap_microusd, spent_microusd=book.ledger.spent_microusd()),
                switch=KillSwitch(Settings(home=self.home)),
                blobs=BlobStore(self.home / "audio"),
                clock=self.clock,
                concurrency=concurrency,
                progress=ProgressReport("replay", 1, stream=StringIO(), clock=self.clock),
                resend_unknown=resend_unknown,
            )

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
        ledger = await replay.run()

    row = ledger.results["c0/0/candidate"]
    assert BlobStore(tmp_path / "audio").get(row["audio_sha256"], row["audio_extension"]) == b"qwen:text 0"


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
        ledger = await replay.run()

    assert ledger.outcomes()["candidate"] == {"ok": 7, "unknown_outcome": 3}
    assert set(bench.qwen.sent.values()) == {1}
    assert replay.budget.spent_microusd == ledger.spent_microusd() == 6 * 2_000 + 14 * 1_000
    assert {row["service_s"] for row in ledger.results.values() if row["outcome"] == "unknown_outcome"} == {None}


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
        ledger = await replay.run()

    assert ledger.outcomes()["candidate"] == {kind.value: 2, "missing": 48}
    assert f"qwen answered {kind.value}" in (replay.stopped_because or "")


async def test_voices_are_made_once_before_anything_is_timed(tmp_path: Path) -> None:
    voice = a_voice(VoiceKind.DESIGN)
    bench = Bench(tmp_path, [a_capture(f"c{n}", request=a_request(f"t{n}", voice=voice)) for n in range(5)])

    async with bench.replay() as replay:
        ledger = await replay.run()

    assert bench.qwen.voices == [voice.id]
    assert bench.legacy.voices == []
    assert set(ledger.voices) == {f"at-qwen-{voice.id}"}


async def test_a_voice_that_was_made_only_to_be_measured_is_deleted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [a_capture(request=a_request(operation=Operation.DESIGN))])

    def answer(request: SpeechRequest) -> Exchange:
        return an_exchange(provider="qwen", operation=Operation.DESIGN, voice_id="made-1")

    bench.qwen._answer = answer
    async with bench.replay() as replay:
        ledger = await replay.run()

    assert bench.qwen.deleted == ["made-1"]
    assert ledger.voices == {}


async def test_without_consent_a_reference_is_sent_to_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [a_capture(request=a_request("", operation=Operation.CLONE))])

    async with bench.replay() as replay:
        ledger = await replay.run()

    assert ledger.outcomes() == {"control": {"unsupported": 1}, "candidate": {"unsupported": 1}}
    assert bench.qwen.sent.total() == bench.legacy.sent.total() == 0
    assert ledger.calls == {}


async def test_the_ledger_of_a_run_is_what_its_journal_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path, captures(8), repeat_share=0.5)
    async with bench.replay() as replay:
        live = await replay.run()

    async with bench.replay() as reopened:
        read = reopened.book.ledger

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
