"""How long a million pairs take to judge, and how much memory: `python -m tests.benchmarks.judging`.

Three operations in eight languages (24 cells), a tenth with a repeat, judged by data/thresholds.toml. Building the
frame is not counted; samples, self-test, gates, segments, worst pairs and the report are.
"""

import argparse
import resource
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from analysis.evidence import Evidence, RunFacts
from analysis.judge import judge
from analysis.report import view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT

OPERATIONS = ("generate", "clone", "design")
LANGUAGES = ("en", "zh", "ja", "ko", "de", "fr", "es", "pt")
MOST_S, MOST_BYTES = 3.0, 1_000_000_000
START = datetime(2026, 11, 2, tzinfo=UTC)


def some_pairs(count: int, seed: int) -> pl.DataFrame:
    """Pairs of two equal providers over thirty days, 0.5 % failures on either side."""
    random = np.random.default_rng(seed)
    operations = random.choice(OPERATIONS, count)
    voices = random.integers(0, 60_000, count)  # few pairs of each: the cap of a voice leaves most of them in
    days = random.integers(0, 30, count)
    frame: dict[str, object] = {
        "run_id": "run-1",
        "capture_id": [f"capture-{number}" for number in range(count)],
        "repetition": 0,
        "operation": operations,
        "cluster": pl.Series(voices).cast(pl.String),
        "voice_id": pl.Series(voices).cast(pl.String),
        "billed_chars": random.integers(20, 400, count),
        "language": random.choice(LANGUAGES, count),
        "text_chars": random.integers(20, 400, count),
        "segment": pl.Series([None] * count, dtype=pl.String),
    }
    enrolled = pl.Series(voices).cast(pl.String)
    frame["candidate_voice"] = enrolled.zip_with(
        pl.Series(operations) == "generate", pl.repeat(None, count, eager=True)
    )
    for side in ("control", "candidate"):
        failed = random.random(count) < 0.005
        frame |= {
            f"{side}_outcome": np.where(failed, "overloaded", "ok"),
            f"{side}_attempts": 1,
            f"{side}_audio_outcome": pl.Series(np.where(failed, "", "ok")).replace("", None),
            f"{side}_sent_at": pl.Series([START]).cast(pl.Datetime("us", "UTC")).extend_constant(START, count - 1)
            + pl.Series(days * 86_400_000_000).cast(pl.Duration("us")),
            f"{side}_service_s": np.exp(0.3 * random.standard_normal(count)),
            f"{side}_cost_microusd": pl.Series(np.full(count, 4_000 if side == "control" else 1_000)),
            f"{side}_duration_s": 3.0 * np.exp(0.03 * random.standard_normal(count)),
            f"{side}_active_share": 0.8,
            f"{side}_longest_silence_s": random.exponential(0.2, count),
            f"{side}_clipped_share": 0.0,
            f"{side}_spectral_difference_db": 3.0 + 0.5 * random.standard_normal(count),
        }
    words = r"^(run_id|operation|cluster|voice_id|language|segment|candidate_voice|.*_outcome)$"
    return pl.DataFrame(frame).with_columns(pl.col(words).cast(pl.Categorical))  # as it is read


def some_evidence(count: int, seed: int) -> Evidence:
    pairs = some_pairs(count, seed)
    noise = pairs.head(count // 10).rename(lambda name: name.replace("candidate_", "repeat_"))
    ledger = pl.concat(
        pairs.group_by("run_id", pl.lit(side).alias("lane"), "operation", pl.col(f"{side}_outcome").alias("outcome"))
        .len("exchanges")
        .cast({"exchanges": pl.Int64})
        for side in ("control", "candidate")
    )
    run = RunFacts(
        run_id="run-1",
        kind="replay",
        started_at=START,
        ended_at=START + timedelta(days=30),
        status="complete",
        planned=2 * count,
        rows=2 * count,
        models=frozenset(),
        extractors=frozenset(),
    )
    return Evidence(runs=(run,), pairs=pairs, noise_pairs=noise, ledger=ledger)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    thresholds = Thresholds.load(PROJECT / "data" / "thresholds.toml")
    evidence = some_evidence(chosen.pairs, chosen.seed)
    built = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started, cpu = time.perf_counter(), time.process_time()
    view = view_of(judge(evidence, thresholds))
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    cells = evidence.pairs.select("operation", "language").n_unique()
    judged = sum(operation["sample"]["pairs"] for operation in view["operations"])
    print(f"{chosen.pairs:,} pairs in {cells} cells, {judged:,} of them evidence: {view['decision']}")
    print(f"judged in {took_s:.2f} s ({cpu_s:.2f} s of CPU), limit {MOST_S:g} s")
    print(f"peak memory {peak / 1e9:.2f} GB, {built / 1e9:.2f} GB of it before judging; limit {MOST_BYTES / 1e9:g} GB")
    return 0 if took_s < MOST_S and peak < MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
