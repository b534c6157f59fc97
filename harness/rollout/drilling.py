"""The rollback drill: throw the kill switch under traffic, see everybody answered and nobody by Qwen, and take it back.

What is rehearsed is the way out that will be needed at night, by the same file and on a gateway that serves.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from harness.clock import Clock
from harness.errors import UsageError
from harness.flags.kill_switch import KillSwitch
from harness.rollout.evidence import Drill

__all__ = ["DrillTarget", "Spoken", "rehearse"]

MAX_AFTER_S: Final = 0.010  # a request that was decided before the switch may still be on its way to Qwen
BACK_S: Final = 20.0  # after the switch is lifted
_UNDER_WAY: Final = 4
_AFTER: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One request of the drill and how it was answered."""

    sent_s: float  # monotonic
    status: int  # of HTTP; 0 without an answer
    provider: str | None  # who answered, as the gateway says


class DrillTarget(Protocol):
    """A gateway that serves."""

    async def speak(self) -> Spoken:
        """Ask it for a word of speech; never raises."""
        ...


async def rehearse(target: DrillTarget, switch: KillSwitch, *, clock: Clock, who: str) -> Drill:
    """Throw the switch, look, and lift it again, whatever was seen.

    Raises:
        UsageError: The switch is on already, so there is nothing to rehearse.
        ConfigError: The switch cannot be thrown or lifted.
    """
    reason = switch.reason()
    if reason is not None:
        raise UsageError(f"Qwen is cut off already by {reason}; `cutover rollout unkill` first, then drill")
    before = await _burst(target, _UNDER_WAY)
    if not any(spoken.provider == "qwen" for spoken in before):
        return _failed(clock, f"Qwen answered none of {len(before)} requests before the switch: nothing was rehearsed")
    try:
        thrown_s, after = await _throw(target, switch, clock=clock, who=who)
    finally:
        switch.lift()
    problem = _problem(after, thrown_s)
    if problem:
        return _failed(clock, problem)
    back_s = await _until_back(target, clock)
    if back_s is None:
        return _failed(clock, f"Qwen did not answer again within {BACK_S:g} s after the switch was lifted")
    detail = f"{len(after)} requests after the switch: all answered, none by Qwen; back {back_s:.2f} s after lifting"
    return Drill(at=clock.now(), passed=True, detail=detail)


async def _throw(target: DrillTarget, switch: KillSwitch, *, clock: Clock, who: str) -> tuple[float, list[Spoken]]:
    """When the switch was thrown, and what was asked from then on, while other requests were under way."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_burst(target, _UNDER_WAY))
        await clock.sleep(0.0)
        await asyncio.to_thread(switch.engage, who=who, why="rollback drill", at=clock.now())
        thrown_s = clock.monotonic()
        after = [*await _burst(target, _AFTER // 2), *await _burst(target, _AFTER // 2)]
    return thrown_s, after


async def _burst(target: DrillTarget, count: int) -> list[Spoken]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(target.speak()) for _ in range(count)]
    return [task.result() for task in tasks]


def _problem(after: list[Spoken], thrown_s: float) -> str | None:
    late = [spoken for spoken in after if spoken.provider == "qwen" and spoken.sent_s - thrown_s > MAX_AFTER_S]
    if late:
        return f"Qwen answered {len(late)} of {len(after)} requests sent after the switch"
    unanswered = [spoken.status for spoken in after if spoken.status != 200]
    if unanswered:
        return f"{len(unanswered)} of {len(after)} callers got no speech after the switch (HTTP {unanswered[0]})"
    return None


async def _until_back(target: DrillTarget, clock: Clock) -> float | None:
    """Seconds until Qwen answers again."""
    began_s = clock.monotonic()
    while clock.monotonic() - began_s < BACK_S:
        if (await target.speak()).provider == "qwen":
            return clock.monotonic() - began_s
        await clock.sleep(0.2)
    return None


def _failed(clock: Clock, detail: str) -> Drill:
    return Drill(at=clock.now(), passed=False, detail=detail)
