"""How exactly captures begin when they are due: our alarm beside the floor of the event loop and beside sleep(delta).

`python -m tests.benchmarks.pacing [SECONDS]` paces nothing but a note of the time, at several rates, one pacer after
the other in the same process, and prints error and drift. Goals (performance.md): median error at most 0.15 ms, p99 at
most 5 ms, at most 5 ms late at the end; GoReplay's sleep(delta) is 288 ms late after 4 s at 200 a second.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable

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


async def paced(pacer: Pacer, rate_hz: float, seconds: float) -> tuple[dict[str, float | None], float]:
    """Lateness, and CPU seconds a capture."""
    began_s, began_cpu_s = time.monotonic() + 0.05, time.process_time()
    due = [began_s + number / rate_hz for number in range(int(rate_hz * seconds))]
    lateness, moments = Lateness(), iter(due)
    async for _ in pacer(due):
        lateness.add(time.monotonic() - next(moments))
    return lateness.summary(), (time.process_time() - began_cpu_s) / len(due)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    print(f"{seconds:g} s each, on uvloop; late in ms: p50 / p99 / max / at the end, and CPU us a capture")
    kept = True
    for rate_hz in RATES_HZ:
        for name, pacer in (("our alarm", our_alarm), ("loop timer", loop_timer), ("sleep(delta)", sleep_between)):
            late, cpu_s = uvloop.run(paced(pacer, rate_hz, seconds))
            p50, p99, most, end = (1e3 * (late[key] or 0.0) for key in ("p50_s", "p99_s", "max_s", "end_s"))
            print(f"{rate_hz:5}/s  {name:12}  {p50:8.3f} / {p99:8.3f} / {most:8.3f} / {end:8.3f}  {cpu_s * 1e6:6.1f}")
            if name == "our alarm":
                kept = kept and p50 <= 0.15 and p99 <= 5.0 and end <= 5.0
    print(f"goals (p50 <= 0.15 ms, p99 <= 5 ms, end <= 5 ms) {'kept' if kept else 'missed'} by our alarm")
    return 0


if __name__ == "__main__":
    sys.exit(main())
