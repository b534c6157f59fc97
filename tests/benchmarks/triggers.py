"""How soon the rollback rules see a known error rate, and how often they trip wrongly.

`python -m tests.benchmarks.triggers` feeds seeded random outcomes through the breaker and the watch of production.
Nothing is timed but the simulated day, in CPU seconds.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.rollout.backtest import Backtest, backtest
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.rules import load_rules
from harness.routing.breaker import BreakerRules, BreakerState, Permit, Phase, observe
from harness.routing.cusum import CusumRule
from harness.speech import Operation

RATES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.03)
REFERENCE = (3, 9, 23, 53, 169, 721)  # verdicts.md G, COMBINED
REFERENCE_FALSE = 0.45  # in 100,000 requests at 1 %
LIMIT = 3_000
NEVER = CusumRule(p0=0.01, p1=0.08, h=1e9)


class Median(NamedTuple):
    """Requests until the breaker opened, over many runs."""

    value: float
    low: float  # 99 % interval of the median, by order statistics
    high: float


def requests_to_open(rules: BreakerRules, rate: float, dice: random.Random, *, limit: int = LIMIT) -> int:
    """How many requests it took; `limit` when it never did."""
    state, permit = BreakerState(), Permit(0, probe=False)
    for number in range(1, limit + 1):
        kind = ErrorKind.OVERLOADED if dice.random() < rate else None
        state = observe(state, permit, kind, slow=None, now_s=0.0, rules=rules)
        if state.phase is Phase.OPEN:
            return number
    return limit


def slow_to_open(rules: BreakerRules, rate: float, dice: random.Random, *, limit: int = LIMIT) -> int:
    """The same for calls that are slow and otherwise fine."""
    state, permit = BreakerState(), Permit(0, probe=False)
    for number in range(1, limit + 1):
        state = observe(state, permit, None, slow=dice.random() < rate, now_s=0.0, rules=rules)
        if state.phase is Phase.OPEN:
            return number
    return limit


def median(rules: BreakerRules, rate: float, *, runs: int, seed: int, trial=requests_to_open) -> Median:
    dice = random.Random(f"{seed}/{rate}")
    trials = sorted(trial(rules, rate, dice) for _ in range(runs))
    spread = 2.576 * (runs**0.5) / 2
    middle = (runs - 1) / 2
    low, high = trials[max(0, int(middle - spread))], trials[min(runs - 1, int(middle + spread) + 1)]
    return Median(statistics.median(trials), low, high)


def false_trips(rules: BreakerRules, *, requests: int, seed: int, rate: float = 0.01) -> int:
    """How often it opens wrongly; it begins anew each time."""
    dice, trips = random.Random(seed), 0
    state, permit = BreakerState(), Permit(0, probe=False)
    for _ in range(requests):
        kind = ErrorKind.OVERLOADED if dice.random() < rate else None
        state = observe(state, permit, kind, slow=None, now_s=0.0, rules=rules)
        if state.phase is Phase.OPEN:
            trips, state = trips + 1, BreakerState()
    return trips


def a_day(*, per_second: float, hours: float, bad_from_h: float, bad_rate: float, seed: int) -> Iterator[LiveOutcome]:
    """A canary's day: 0.5 % of errors, and `bad_rate` from some hour on; legacy answers for every one of them."""
    dice, at_s = random.Random(seed), 0.0
    good = LiveOutcome(
        at_s=0.0, process="worker-1", operation=Operation.GENERATE, lane=Lane.CANDIDATE, caller_failed=False,
        microusd=900, chars=90, troubles=(), slow=False,
    )  # fmt: skip
    while (at_s := at_s + dice.expovariate(per_second)) < hours * 3600:
        rate = bad_rate if at_s >= bad_from_h * 3600 else 0.005
        worker = f"worker-{dice.randrange(2)}"
        if dice.random() < rate:
            failed = ErrorKind.OVERLOADED
            yield replace(good, at_s=at_s, process=worker, kind=failed, microusd=0, troubles=None, slow=None)
        else:
            yield replace(good, at_s=at_s, process=worker, slow=dice.random() < 0.05)


def _row(name: str, rules: BreakerRules, *, steps: int, seed: int, trial=requests_to_open) -> list[Median]:
    """One line of the table; each cell costs about `steps` outcomes."""
    found = [
        median(rules, rate, runs=max(200, min(10_000, steps // known)), seed=seed, trial=trial)
        for rate, known in zip(RATES, REFERENCE, strict=True)
    ]
    print(f"| {name} | " + " | ".join(f"{each.value:,.0f}" if each.value < LIMIT else "later" for each in found) + " |")
    return found


def _table(steps: int, seed: int) -> bool:
    combined = load_rules().breaker
    print(f"Median requests to trip (seed {seed}); later is beyond {LIMIT:,} or never\n")
    print("| rule | " + " | ".join(f"{rate:.0%}" for rate in RATES) + " |")
    print("|---" * (len(RATES) + 1) + "|")
    _row("3 consecutive", replace(combined, errors=NEVER), steps=steps // 10, seed=seed)
    _row("CUSUM 1 to 8 %, h = 9", replace(combined, consecutive=10**9), steps=steps // 2, seed=seed)
    found = _row("COMBINED", combined, steps=steps, seed=seed)
    print("| its 99 % interval | " + " | ".join(f"{each.low}-{each.high}" for each in found) + " |")
    print("| verdicts.md G, COMBINED | " + " | ".join(str(each) for each in REFERENCE) + " |")
    _row("slow calls 5 to 20 %, h = 9", combined, steps=steps // 10, seed=seed, trial=slow_to_open)
    print("| verdicts.md G, slow | 7 | 15 | 58 | 464 | | |\n")
    return all(abs(each.value - known) <= max(1, 0.1 * known) for each, known in zip(found, REFERENCE, strict=True))


def _false(requests: int, seed: int) -> bool:
    trips = false_trips(load_rules().breaker, requests=requests, seed=seed)
    share = trips / requests * 1e5
    error = max(1, trips) ** 0.5 / requests * 1e5
    print(f"False trips at 1 %: {trips} in {requests:,} requests, {share:.2f} ± {2 * error:.2f} in 100,000")
    print(f"  verdicts.md G has {REFERENCE_FALSE}; at most 0.5 is asked for\n")
    return share <= 0.5


def _day(seed: int) -> bool:
    began_s = time.process_time()
    day: Backtest = backtest(a_day(per_second=2.5, hours=24, bad_from_h=18, bad_rate=0.10, seed=seed), load_rules())
    took_s = time.process_time() - began_s
    first = day.first.get(Operation.GENERATE)
    print(f"24 h of a 5 % canary at 50 requests/s: {day.outcomes:,} outcomes in {took_s:.1f} s of CPU")
    if first is None:
        print("  10 % of errors from hour 18 on: never tripped")
        return False
    late_s = first.trip.at_s - 18 * 3600
    print(f"  10 % of errors from hour 18 on: rolled back after {late_s:.0f} s, {first.trip.reason}")
    print(f"  {first.failed_after:,} failed calls would have followed; {len(day.openings)} openings of breakers\n")
    return late_s > 0 and took_s < 5


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=600_000, help="outcomes for each cell of the table")
    options.add_argument("--requests", type=int, default=5_000_000)
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    held = [_table(chosen.steps, chosen.seed), _false(chosen.requests, chosen.seed), _day(chosen.seed)]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
