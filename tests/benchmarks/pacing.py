"""How exactly captures begin when they are due: our alarm beside the floor of the event loop and beside sleep(delta).

    python -m tests.benchmarks.pacing                  three pacers at four rates, 5 s each: a minute
    python -m tests.benchmarks.pacing --drift          our alarm alone, a minute at each end of the rates

Paces nothing but a note of the time, one pacer after the other in the same process, and prints error, drift and CPU.
Drift is how late the captures of the last second are, by their median, beyond those of the first: one capture alone
tells of the moment in which it happened to be due. Goals (performance.md): median error at most 0.15 ms, p99 at most
5 ms, at most 5 ms late at the end; GoReplay's sleep(delta) is 288 ms late after 4 s at 200 a second.
"""

import argparse
import asyncio
import statistics
import sys
import time
from array import array
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import uvloop

from harness.clock import SystemClock
from replay.alarm import open_alarm
from replay.lateness import Lateness

RATES_HZ = (100, 500, 1_000, 2_000)
Pacer = Callable[[list[float]], AsyncIterator[None]]


async def our_alarm(due: list[float]) -> AsyncIterator[None]:
    """What a replay does."""
    async with open_alarm(SystemClock()) as alarm:
        for moment_s in due:
            await alarm.until(moment_s)
            yield


async def loop_timer(due: list[float]) -> AsyncIterator[None]:
    """The floor without a timer of our own: sleeping to an absolute moment on the loop."""
    for moment_s in due:
        if (left_s := moment_s - time.monotonic()) > 0:
            await asyncio.sleep(left_s)
        yield


async def sleep_between(due: list[float]) -> AsyncIterator[None]:
    """What GoReplay does: sleep the gap between two records, and never look at the clock."""
    earlier_s = due[0]
    await asyncio.sleep(max(0.0, earlier_s - time.monotonic()))
    for moment_s in due:
        await asyncio.sleep(moment_s - earlier_s)
        earlier_s = moment_s
        yield


class Paced(NamedTuple):
    """What one pacer did; seconds."""

    lateness: dict[str, float | None]
    drift_s: float
    cpu_s: float  # a capture


async def paced(pacer: Pacer, rate_hz: float, seconds: float) -> Paced:
    """Let it pace a schedule of that rate for so long."""
    began_s, began_cpu_s = time.monotonic() + 0.05, time.process_time()
    due = [began_s + number / rate_hz for number in range(int(rate_hz * seconds))]
    lateness, late_s, moments = Lateness(), array("d"), iter(due)
    async for _ in pacer(due):
        late_s.append(time.monotonic() - next(moments))
        lateness.add(late_s[-1])
    second = min(int(rate_hz), len(due) // 2)
    drift_s = statistics.median(late_s[-second:]) - statistics.median(late_s[:second])
    return Paced(lateness.summary(), drift_s, (time.process_time() - began_cpu_s) / len(due))


def show(name: str, pacer: Pacer, rate_hz: float, seconds: float) -> bool:
    """One line, and whether the goals were kept."""
    done = uvloop.run(paced(pacer, rate_hz, seconds))
    p50, p99, most = (1e3 * (done.lateness[key] or 0.0) for key in ("p50_s", "p99_s", "max_s"))
    drift = 1e3 * done.drift_s
    print(f"{rate_hz:5}/s  {name:12}  {p50:8.3f} / {p99:8.3f} / {most:8.3f} / {drift:8.3f}  {done.cpu_s * 1e6:6.1f}")
    return p50 <= 0.15 and p99 <= 5.0 and drift <= 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="of each pacer at each rate; 5, and 60 for the drift")
    parser.add_argument("--drift", action="store_true", help="only our alarm, at the lowest and the highest rate")
    options = parser.parse_args()
    seconds = options.seconds or (60.0 if options.drift else 5.0)
    rates = (RATES_HZ[0], RATES_HZ[-1]) if options.drift else RATES_HZ
    peers = {} if options.drift else {"loop timer": loop_timer, "sleep(delta)": sleep_between}
    print(f"{seconds:g} s each, on uvloop; late in ms: p50 / p99 / max / drift, and CPU us a capture")
    kept = True
    for rate_hz in rates:
        kept = show("our alarm", our_alarm, rate_hz, seconds) and kept
        for name, peer in peers.items():
            show(name, peer, rate_hz, seconds)
    print(f"goals (p50 <= 0.15 ms, p99 <= 5 ms, drift <= 5 ms) {'kept' if kept else 'missed'} by our alarm")
    return 0


if __name__ == "__main__":
    sys.exit(main())
