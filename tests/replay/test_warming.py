from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings, Settings
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.speech import Operation
from harness.store.journal import read_journal
from harness.store.logbook import Logbook
from replay.admission import Admissions
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.quota import Quota
from replay.routes import Route
from replay.warming import WarmUp, warm_up_captures
from tests.builders import a_capture, a_request, an_exchange
from tests.scripted import ScriptedProvider


class Warmed:
    """A warm-up whose providers answer in a second of a fake clock."""

    def __init__(self, folder: Path, book: Logbook, clock: FakeClock) -> None:
        quota = Quota(QuotaSettings(per_second=10**6, per_minute=10**6, share=1.0, ramp_s=0.0))
        self.legacy, self.qwen = (ScriptedProvider(name, clock=clock) for name in ("modal", "qwen"))
        self.switch = KillSwitch(Settings(home=folder))
        self.journal = folder / "journal.jsonl"
        self.book = book
        self.warm_up = WarmUp(
            book=book,
            admissions=Admissions(budget=Budget(10**9), book=book, switch=self.switch, clock=clock),
            routes={
                lane: Route(provider=provider, quota=quota, region=None, deadline_s=60.0)
                for lane, provider in ((Lane.CONTROL, self.legacy), (Lane.CANDIDATE, self.qwen))
            },
            clock=clock,
        )


@pytest.fixture
def warmed(tmp_path: Path) -> Iterator[Warmed]:
    clock = FakeClock()
    with Logbook(tmp_path / "journal.jsonl", clock=clock) as book:
        book.write({"type": "plan", "run_id": "r"})
        yield Warmed(tmp_path, book, clock)


async def test_both_lanes_get_every_capture_and_the_journal_tells_of_it(warmed: Warmed) -> None:
    captures = [a_capture(f"c{n}", request=a_request(f"text {n}")) for n in range(3)]

    reason = await warmed.warm_up.run(captures, at_once=2)
    await warmed.book.commit()

    assert reason is None
    assert warmed.qwen.sent == warmed.legacy.sent == {"text 0": 1, "text 1": 1, "text 2": 1}
    assert warmed.book.balance.spent_microusd() == 6 * 1_000
    notes = [record for record in read_journal(warmed.journal).records if record["type"] == "warm_up"]
    assert {(note["capture_id"], note["lane"], note["outcome"]) for note in notes} == {
        (f"c{n}", lane, "ok") for n in range(3) for lane in ("control", "candidate")
    }
    assert warmed.book.balance.legs == 0


async def test_a_failure_that_every_call_would_share_ends_it(warmed: Warmed) -> None:
    warmed.legacy._answer = lambda request: an_exchange(provider="modal", failed=ErrorKind.AUTH)

    reason = await warmed.warm_up.run([a_capture(f"c{n}") for n in range(5)], at_once=1)

    assert reason == "modal answered auth (Code): it failed"
    assert warmed.legacy.sent.total() == 1


async def test_nothing_is_warmed_up_once_the_switch_is_pulled(warmed: Warmed) -> None:
    warmed.switch.pull("asked to stop")

    await warmed.warm_up.run([a_capture()], at_once=1)

    assert warmed.qwen.sent.total() == warmed.legacy.sent.total() == 0


def test_only_what_speaks_warms_up() -> None:
    design = a_capture("d", request=a_request(operation=Operation.DESIGN))
    spoken = [a_capture(f"g{n}") for n in range(4)]

    assert warm_up_captures([design, *spoken], 3) == spoken[:3]
    assert warm_up_captures([design], 3) == warm_up_captures(spoken, 0) == []
