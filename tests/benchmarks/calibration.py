"""Whether verdicts keep their promised error rates: `python -m tests.benchmarks.calibration`.

Worlds are simulated here with numpy alone, from rates that are known; nothing of the engine is used to make them.
Each night's cumulative counts are then judged by the engine and, side by side, by rules that other tools use: a Wald
interval, Tango's score interval every night, scipy's bootstrap, and the Mann-Whitney rule that Kayenta publishes.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.clusters import ClusterMeans
from analysis.estimates import Tail
from analysis.evalues import log_e_fail, log_e_pass, lower_bound, pairs_needed, proof_at, upper_bound
from analysis.intervals import Range, exact_share, order_statistics, tail_bootstrap
from analysis.intervals import tango as tango_interval

NIGHTS, PER_NIGHT, MARGIN, ALPHA = 30, 200, 0.01, 0.05
GATES = 30  # blocking claims of three operations
Counts = NDArray[np.int64]


class Rates(NamedTuple):
    """Chances that one pair fails at the candidate alone, at control alone, at both."""

    candidate_only: float
    control_only: float
    both: float


AT_MARGIN = Rates(0.015, 0.005, 0.005)  # 1 % → 2 %: every go is false
EQUAL = Rates(0.005, 0.005, 0.005)  # 1 % each, half of it shared
BROKEN = Rates(0.05, 0.005, 0.0)


class Line(NamedTuple):
    """One figure beside what is promised of it."""

    what: str
    figure: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.low <= self.figure <= self.high


def nights(rates: Rates, runs: int, random: np.random.Generator, *, per_night: int = PER_NIGHT) -> Counts:
    """Cumulative counts after each night: shape (4, runs, nights), worse, better, both and pairs."""
    fresh = random.multinomial(per_night, [*rates, 1.0 - sum(rates)], size=(runs, NIGHTS)).cumsum(axis=1)
    pairs = np.broadcast_to(per_night * np.arange(1, NIGHTS + 1), fresh.shape[:2])
    return np.stack([*np.moveaxis(fresh, -1, 0)[:3], pairs])


def engine(counts: Counts) -> NDArray[np.bool_]:
    worse, better, _, pairs = counts
    found: NDArray[np.bool_] = log_e_pass(worse, better, pairs, MARGIN) >= proof_at(ALPHA)
    return found


def point(counts: Counts) -> NDArray[np.bool_]:
    worse, better, _, pairs = counts
    return np.asarray((worse - better) / pairs < MARGIN)


def wald(counts: Counts) -> NDArray[np.bool_]:
    worse, better, _, pairs = counts
    mean = (worse - better) / pairs
    error = np.sqrt(np.maximum(0.0, (worse + better) / pairs - mean**2) / pairs)
    return np.asarray(mean + stats.norm.ppf(1.0 - ALPHA) * error < MARGIN)


def tango(counts: Counts) -> NDArray[np.bool_]:
    """Tango's (1998) score test of a paired difference of proportions against the margin."""
    worse, better, _, pairs = counts.astype(np.float64)
    a = 2.0 * pairs
    b = -worse - better + (2.0 * pairs - worse + better) * MARGIN
    c = -better * MARGIN * (1.0 - MARGIN)
    q = (np.sqrt(np.maximum(0.0, b**2 - 4.0 * a * c)) - b) / (2.0 * a)
    score = (worse - better - pairs * MARGIN) / np.sqrt(pairs * (2.0 * q + MARGIN * (1.0 - MARGIN)))
    return np.asarray(score < -stats.norm.ppf(1.0 - ALPHA))


def kayenta(counts: Counts) -> NDArray[np.bool_]:
    """Passes unless a 98 % Mann-Whitney test over the nights' error rates shows the candidate to be worse."""
    ours, theirs = (np.diff(counts[side] + counts[2], axis=1, prepend=0) for side in (0, 1))
    found = np.zeros(counts.shape[1:], dtype=bool)
    for night in range(4, NIGHTS):
        with np.errstate(invalid="ignore"):
            test = stats.mannwhitneyu(ours[:, : night + 1], theirs[:, : night + 1], axis=1, method="asymptotic")
        is_higher = ours[:, : night + 1].mean(axis=1) > theirs[:, : night + 1].mean(axis=1)
        found[:, night] = ~((test.pvalue < 0.02) & is_higher)
    return found


def bootstrap(counts: Counts) -> NDArray[np.bool_]:
    """Scipy's percentile interval over the pairs, every fifth night of the first runs: it is slow."""
    found = np.zeros(counts.shape[1:], dtype=bool)
    random = np.random.default_rng(3)
    for run in range(min(40, counts.shape[1])):
        for night in range(4, NIGHTS, 5):
            worse, better, _, pairs = counts[:, run, night]
            values = np.repeat([1.0, -1.0, 0.0], [worse, better, pairs - worse - better])
            interval = stats.bootstrap(
                (values,), np.mean, confidence_level=1 - 2 * ALPHA, n_resamples=200, method="percentile", rng=random
            ).confidence_interval
            found[run, night] = interval.high < MARGIN
    return found


RULES: dict[str, Callable[[Counts], NDArray[np.bool_]]] = {
    "ours": engine,
    "point estimate": point,
    "Wald interval": wald,
    "Tango, every night": tango,
    "scipy bootstrap": bootstrap,
    "Mann-Whitney (Kayenta)": kayenta,
}


def ever(found: NDArray[np.bool_], name: str) -> float:
    """Share of runs with a go on any night."""
    runs = 40 if name == "scipy bootstrap" else len(found)
    return float(found[:runs].any(axis=1).mean())


def false_verdicts(runs: int, random: np.random.Generator) -> Iterator[Line]:
    at_margin = nights(AT_MARGIN, runs, random)
    yield Line("false go at the margin, 30 nightly looks", ever(engine(at_margin), "ours"), 0.0, 0.05)
    together = nights(AT_MARGIN, runs * GATES // 10, random)
    worse, better, _, pairs = together
    fails = (log_e_fail(worse, better, pairs, MARGIN) >= proof_at(ALPHA, GATES)).any(axis=1)
    single = float(fails.mean())
    yield Line(f"false no-go of any of {GATES} gates at the margin", 1.0 - (1.0 - single) ** GATES, 0.0, 0.05)


def power(runs: int, random: np.random.Generator) -> Iterator[Line]:
    """Against verdicts.md 2.3 B: cumulative, looking every 200 pairs; 60 pairs a night for the smallest sizes."""
    counts = nights(EQUAL, runs, random, per_night=200)
    passed = np.maximum.accumulate(engine(counts), axis=1)
    slack = 0.02 + 3.0 * (0.25 / runs) ** 0.5
    for pairs, expected in ((600, 0.11), (1000, 0.35), (2000, 0.82), (4000, 0.997)):
        share = float(passed[:, pairs // 200 - 1].mean())
        yield Line(f"go of equal providers by {pairs:,} pairs", share, expected - slack, expected + slack)
    broken = nights(BROKEN, runs, random, per_night=60)
    fails = log_e_fail(broken[0], broken[1], broken[3], MARGIN) >= proof_at(ALPHA)
    median = float(np.median(np.where(fails.any(axis=1), 60 * (fails.argmax(axis=1) + 1), np.inf)))
    yield Line("pairs until 5 % extra errors fail, median", median, 200.0, 480.0)


def coverage(runs: int, random: np.random.Generator) -> Iterator[Line]:
    counts = nights(AT_MARGIN, runs, random)[:, :, ::3]
    worse, better, _, pairs = counts
    truth = AT_MARGIN.candidate_only - AT_MARGIN.control_only
    covered = {
        "upper": upper_bound(worse, better, pairs, alpha=ALPHA) >= truth,
        "lower": lower_bound(worse, better, pairs, alpha=ALPHA) <= truth,
    }
    for name, found in covered.items():
        yield Line(f"{name} bound holds at every look", float(found.all(axis=1).mean()), 0.95, 1.0)


def forecasts(runs: int, random: np.random.Generator) -> Iterator[Line]:
    """What was forecast at 600 pairs by what it then took."""
    counts = nights(EQUAL, runs, random)
    found = engine(counts)
    waiting = ~found[:, :3].any(axis=1) & found.any(axis=1)
    took = 200 * (found.argmax(axis=1) + 1) - 600
    said = pairs_needed(*(counts[side][:, 2] for side in (0, 1, 3)), MARGIN, alpha=ALPHA)
    ratio = (said / np.maximum(1, took))[waiting & np.isfinite(said)]
    yield Line("forecast by actual need, median", float(np.median(ratio)), 0.5, 2.0)
    within = float(((ratio >= 1 / 3.5) & (ratio <= 1 / 0.4)).mean())
    yield Line("needs that end within the range forecast", within, 0.6, 1.0)


def traps(runs: int, random: np.random.Generator) -> Iterator[Line]:
    # 300 captures whose failures repeat exactly: thirty nights of them are still 300 pairs.
    corpus = random.multinomial(300, [*AT_MARGIN, 1.0 - sum(AT_MARGIN)], size=runs)
    worse, better = corpus[:, 0], corpus[:, 1]
    naive = log_e_pass(30 * worse, 30 * better, 9_000, MARGIN) >= proof_at(ALPHA)
    distinct = log_e_pass(worse, better, 300, MARGIN) >= proof_at(ALPHA)
    yield Line("same corpus each night, counted as new: false go", float(naive.mean()), 0.15, 1.0)
    yield Line("the same, distinct captures only", float(distinct.mean()), 0.0, 0.05)
    # Failures that sit in one voice of a hundred: pooled they pass too often, which is why a voice may veto.
    dead = 20 * (random.random((runs, 100)) < 0.01)
    pooled = log_e_pass(dead.sum(axis=1), 0, 2_000, MARGIN) >= proof_at(ALPHA)
    vetoed = (log_e_fail(dead, 0, 20, 0.20, floor=0.0) >= proof_at(ALPHA, GATES * 100)).any(axis=1)
    yield Line("1 % dead voices, all pairs as if independent: false go", float(pooled.mean()), 0.05, 1.0)
    yield Line(
        "the same where a voice died, with the veto on voices",
        float((pooled & ~vetoed)[dead.any(axis=1)].mean()),
        0.0,
        0.05,
    )
    # 6 % of the candidate's calls hang.
    control_s, candidate_s = (np.exp(0.3 * random.standard_normal(2_000)) for _ in range(2))
    hung = random.random(2_000) < 0.06
    dropped = Tail(control_s[~hung], candidate_s[~hung], 0.95).ratio(ALPHA).estimate or 0.0
    counted = Tail(control_s, np.where(hung, np.inf, candidate_s), 0.95).counts(1.1)
    fails = float(
        log_e_fail(counted.candidate_only, counted.control_only, counted.pairs, 0.0) >= proof_at(ALPHA, GATES)
    )
    yield Line("p95 ratio when 6 % of calls hang and are dropped", dropped, 0.9, 1.1)
    yield Line("the same with timeouts as the slowest calls: fails", fails, 1.0, 1.0)


def textbook_intervals(runs: int, random: np.random.Generator) -> Iterator[Line]:
    """What is shown beside a gate covers the truth at one look, as often as it says."""
    slack = 3.0 * (0.05 * 0.95 / runs) ** 0.5
    truth = AT_MARGIN.candidate_only - AT_MARGIN.control_only
    counts = random.multinomial(1_000, [*AT_MARGIN, 1.0 - sum(AT_MARGIN)], size=runs)
    held = [_holds(tango_interval(worse, better, 1_000, level=0.95), truth) for worse, better, *_ in counts.tolist()]
    yield Line("Tango's 95 % interval holds, one look at 1,000 pairs", float(np.mean(held)), 0.94 - slack, 0.97 + slack)
    share = AT_MARGIN.candidate_only + AT_MARGIN.both
    bad = random.binomial(1_000, share, size=runs).tolist()
    held = [_holds(exact_share(each, 1_000, level=0.95), share) for each in bad]
    yield Line("Clopper-Pearson's holds", float(np.mean(held)), 0.95 - slack, 1.0)
    times = np.exp(0.3 * random.standard_normal((runs, 2, 300)))
    p95 = float(np.exp(0.3 * stats.norm.ppf(0.95)))
    held = [_holds(order_statistics(candidate, 0.95, level=0.95), p95) for _, candidate in times]
    yield Line("order statistics of a p95 hold at 300 calls", float(np.mean(held)), 0.95 - slack, 1.0)
    some = times[: max(50, runs // 5)]
    held = [_holds(tail_bootstrap(*pair, 0.95, level=0.95, draws=300, seed=n), 1.0) for n, pair in enumerate(some)]
    yield Line("the tail bootstrap of a ratio holds", float(np.mean(held)), 0.88 - slack, 1.0)


def _holds(found: Range, truth: float) -> bool:
    return (found.low is None or found.low <= truth) and (found.high is None or truth <= found.high)


def voices(runs: int, random: np.random.Generator) -> Iterator[Line]:
    """Means of a feature at their margin, 40 voices, 30 nights (verdicts.md 2.3 D)."""
    margin, own, each = 0.10, 0.20, 0.40
    of_voice = margin + own * random.standard_normal((runs, 1, 40))
    nightly = of_voice + each / 5**0.5 * random.standard_normal((runs, NIGHTS, 40))  # five requests a voice and night
    means = nightly.cumsum(axis=1) / np.arange(1, NIGHTS + 1)[:, np.newaxis]
    ours = np.array([[_passes_mean(night, margin) for night in run[::5]] for run in means[: max(100, runs // 5)]])
    yield Line("mean of 40 voices at its margin, nightly: false go", float(ours.any(axis=1).mean()), 0.0, 0.05)
    requests = 25 * 40  # after five nights
    error = np.sqrt(own**2 + each**2) / requests**0.5
    naive = (means[:, 4].mean(axis=1) + stats.t.ppf(0.95, requests - 1) * error) < margin
    yield Line("the same by a t-test over requests, one look: false go", float(naive.mean()), 0.15, 1.0)
    equal = means[: max(100, runs // 5), 4] - margin
    power = float(np.mean([_passes_mean(night, margin) for night in equal]))
    # A test at one look has 90 % (verdicts.md 2.3 D): this is the price of looking every night.
    yield Line("go of equal means, 40 voices and 1,000 requests", power, 0.35, 0.80)


def _passes_mean(values: NDArray[np.float64], margin: float) -> bool:
    means = ClusterMeans(values, 5 * values.size)
    return bool(values.mean() + means.half_width(ALPHA, margin=margin, planned=40) <= margin)


SECTIONS = (false_verdicts, power, coverage, forecasts, traps, textbook_intervals, voices)


def all_lines(runs: int, seed: int) -> list[Line]:
    return [line for number, part in enumerate(SECTIONS) for line in part(runs, np.random.default_rng([seed, number]))]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    truths = {"at the margin": AT_MARGIN, "equal": EQUAL, "5 % worse": BROKEN}
    worlds = {
        name: nights(rates, chosen.runs, np.random.default_rng([chosen.seed, number]))
        for number, (name, rates) in enumerate(truths.items())
    }
    print(f"go on any of {NIGHTS} nights of {PER_NIGHT} pairs, margin 1 pp; {chosen.runs:,} runs, seed {chosen.seed}")
    print(f"{'rule':24}" + "".join(f"{name:>16}" for name in worlds) + "   (only the second column should be high)")
    for name, rule in RULES.items():
        print(f"{name:24}" + "".join(f"{100 * ever(rule(counts), name):15.1f}%" for counts in worlds.values()))
    print()
    lines = all_lines(chosen.runs, chosen.seed)
    for line in lines:
        verdict = "holds" if line.holds else "BROKEN"
        print(f"{line.what:58}{line.figure:10.3f}   {line.low:.3g} to {line.high:.3g}   {verdict}")
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
