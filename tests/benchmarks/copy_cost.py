"""What copies cost the gateway's own event loop, in processor time: offering one, and what comes of it afterwards.

    python -m tests.benchmarks.copy_cost

By the thread's own clock, so that another program on this machine changes little. A loop takes turns, and a caller who
comes during one waits until it ends: how long that is at worst in 99 of 100 cases follows from the turns and from how
many copies there are a second. They are carried out by a process of their own, so what is left is to hand them over and
to hear of their end. The gateway runs on uvloop, whose turns nobody can time; asyncio's are timed, and made
as much shorter as uvloop takes less for the whole.
"""

import asyncio
import tempfile
import time
from asyncio import base_events
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import uvloop
from numpy.typing import NDArray

from harness.sections import ShadowSettings
from tests.benchmarks.shadow_server import a_shadow_that, audio, copy_of
from tests.harness.gateway.copying import FAST

RATE_HZ: Final = 20.0 * ShadowSettings().per_second
COPIES: Final = 200
WARM_UP: Final = 20
REST_S: Final = 2.0
UNLUCKY: Final = 0.01  # of callers


class CopyCost(NamedTuple):
    """Microseconds of the loop's thread."""

    offer_p50_us: float
    offer_p99_us: float
    after_us: float  # of a copy, on average
    turns_us: NDArray[np.float64]  # of all copies, as asyncio takes them; none on another loop
    copies: int

    def wait_us(self, copies_per_s: float) -> float:
        """The longest that a caller waits for a turn to end, in 99 of 100 cases.

        Who comes at a moment at random finds so much left of a turn with the share of time in which it is left.
        """
        for wait_us in np.linspace(0.0, self.turns_us.max(), 1_000):
            left_us = float(np.maximum(0.0, self.turns_us - wait_us).sum()) / self.copies
            if left_us / 1e6 * copies_per_s <= UNLUCKY:
                return float(wait_us)
        return float(self.turns_us.max())

    def __str__(self) -> str:
        return (
            f"offering a copy {self.offer_p50_us:.0f} us (p99 {self.offer_p99_us:.0f}); all the rest of it "
            f"{self.after_us:.0f} us in turns of {np.percentile(self.turns_us, 99):.0f} us at most (p99); "
            f"at {RATE_HZ:g} copies a second, twenty times the default, 99 of 100 callers wait "
            f"{self.wait_us(RATE_HZ):.0f} us or less"
        )


@contextmanager
def timed_turns() -> Iterator[list[float]]:
    """Seconds of processor time of every turn that the loop takes meanwhile."""
    run_once, turns_s = base_events.BaseEventLoop._run_once, []  # type: ignore[attr-defined]  # in no stub

    def timed(loop: base_events.BaseEventLoop) -> None:
        began_s = time.thread_time()
        run_once(loop)
        turns_s.append(time.thread_time() - began_s)

    base_events.BaseEventLoop._run_once = timed  # type: ignore[attr-defined]
    try:
        yield turns_s
    finally:
        base_events.BaseEventLoop._run_once = run_once  # type: ignore[attr-defined]


async def carried_out(folder: Path, copies: int) -> CopyCost:
    """Offers copies to a healthy shadow as often as it carries them out, and looks on."""
    offers_s: list[float] = []
    after_s: list[float] = []
    all_turns_s: list[float] = []
    async with a_shadow_that("healthy", folder, quota=FAST) as shadow:
        for number in range(-WARM_UP, copies):
            copy = copy_of(audio())
            began_s = time.thread_time()
            shadow.offer(copy)
            offered_s = time.thread_time()
            with timed_turns() as turns_s:
                await asyncio.sleep(1.0 / RATE_HZ)
            if number >= 0:
                after_s.append(time.thread_time() - offered_s)
                offers_s.append(offered_s - began_s)
                all_turns_s += turns_s
        await asyncio.sleep(REST_S)
        assert shadow.counts.kept == WARM_UP + copies, shadow.counts
    p50, p99 = np.percentile(offers_s, [50, 99]) * 1e6
    after_us = float(np.mean(after_s)) * 1e6
    turns_us = np.array(all_turns_s) * 1e6
    return CopyCost(offer_p50_us=p50, offer_p99_us=p99, after_us=after_us, turns_us=turns_us, copies=copies)


def cost_of_copies(folder: Path, copies: int = COPIES) -> CopyCost:
    """What they cost on uvloop."""
    here = uvloop.run(carried_out(folder / "uvloop", copies))
    shape = asyncio.run(carried_out(folder / "asyncio", copies))
    return here._replace(turns_us=shape.turns_us * (here.after_us / shape.after_us))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(cost_of_copies(Path(folder)))


if __name__ == "__main__":
    main()
