"""A rollout with live traffic, as a gateway leaves it behind under a home."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.places import spool_folder, state_folder
from harness.rollout.spool import Spool
from harness.rollout.stage import Rollout, Stage
from harness.rollout.state_file import StateFile
from harness.rollout.transitions import roll_back
from harness.speech import Operation
from tests.harness.rollout.a_rollout import a_rollout, an_outcome


def a_state(home: Path, at: datetime, *, tripped: bool = False) -> None:
    """`generate` at 5 %, and then taken back by a trigger where it tripped."""
    state = StateFile(state_folder(home), clock=FakeClock(at - timedelta(minutes=30)))
    only = (Operation.GENERATE,)
    asyncio.run(
        state.change(
            lambda _: a_rollout(Stage.C5, since=at - timedelta(hours=2)), operations=only, who="anna", why="a <b>go</b>"
        )
    )

    def back(before: Rollout | None) -> Rollout | None:
        return before and roll_back(before, now=at, why="errors well above 1%", forced=False)

    if tripped:
        asyncio.run(state.change(back, operations=only, who="trigger errors", why="errors well above 1%"))


def some_traffic(home: Path, at: datetime, *, minutes: int = 10, failing: int = 0) -> None:
    """Ten calls a minute to each lane; in the last `failing` minutes Qwen fails and legacy answers."""
    spool = Spool(spool_folder(home))
    for minute in range(minutes):
        at_s = (at - timedelta(minutes=minutes - minute)).timestamp()
        kind = ErrorKind.OVERLOADED if minute >= minutes - failing else None
        for _ in range(10):
            spool.append(an_outcome(at_s, kind=kind, caller_failed=False))
            spool.append(an_outcome(at_s, lane=Lane.CONTROL, microusd=4_000))
    spool.close()
