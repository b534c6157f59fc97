"""Whole runs of many captures down routes without a quota, for tests and benchmarks of what a run does to time."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from io import StringIO
from pathlib import Path

from harness.clock import Clock
from harness.config import QuotaSettings, Settings
from harness.exchanges import Capture, Lane
from harness.progress import ProgressReport
from harness.providers.base import Provider
from harness.store.balance import Balance
from harness.store.logbook import Logbook
from harness.store.runs import audio_store
from harness.store.spending import DaySpending
from replay.budget import Budget
from replay.killswitch import KillSwitch
from replay.pacing import AtOnce, Pacing
from replay.plan import ReplayPlan
from replay.quota import Quota
from replay.routes import Route
from replay.runner import Replay
from replay.session import write_legs
from replay.shelf import CaptureShelf
from tests.replay.test_plan import TARGETS

__all__ = ["live_run"]

_UNLIMITED = QuotaSettings(per_second=10**6, per_minute=10**6, share=1.0, ramp_s=0.0)


async def live_run(
    home: Path,
    captures: Iterable[Capture],
    providers: Mapping[Lane, Provider],
    *,
    clock: Clock,
    concurrency: int = 16,
    pacing: Pacing | None = None,
) -> Balance:
    """Plan the captures, send them to control and candidate, and return what the journal adds up to."""
    plan = ReplayPlan(
        captures=CaptureShelf(captures),
        capture_sha256="s" * 64,
        targets=TARGETS,
        seed=1,
        repeat_share=0.0,
        repetitions=1,
        price_version="p",
    )
    quota = {name: Quota(_UNLIMITED, clock=clock) for name in providers}
    routes = {
        lane: Route(provider=provider, quota=quota[lane], region=None, deadline_s=60.0)
        for lane, provider in providers.items()
    }
    day = DaySpending(home, owner="r", clock=clock)
    with Logbook(home / "runs" / "r" / "journal.jsonl", clock=clock) as book, closing(day):
        book.write(
            {
                "type": "plan",
                "run_id": "r",
                "kind": "replay",
                "started_at": clock.now().isoformat(),
                "code_version": "0.1.0",
                "plan_sha256": plan.sha256,
                "plan": plan.identity(),
            }
        )
        write_legs(book, plan)
        replay = Replay(
            plan=plan,
            book=book,
            routes=routes,
            budget=Budget(10**12, day=day),
            switch=KillSwitch(Settings(home=home)),
            blobs=audio_store(home),
            clock=clock,
            concurrency=concurrency,
            progress=ProgressReport("replay", 0, stream=StringIO(), clock=clock),
            pacing=pacing or AtOnce(),
        )
        return await replay.run()
