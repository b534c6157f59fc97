"""Evidence for a judge: frames of pairs on which only what a test is about is out of the ordinary."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analysis.evidence import Evidence, RunFacts
from analysis.proofs import Bar
from analysis.scene import Scene
from analysis.thresholds import Thresholds
from harness.speech import Operation
from tests.builders import NOON

Column = Any  # one value for all pairs, or a list with one for each

_SIDE: dict[str, Column] = {
    "outcome": "ok",
    "attempts": 1,
    "audio_outcome": "ok",
    "sent_at": None,
    "voice": "a-voice",
    "service_s": 1.0,
    "first_byte_s": 0.5,
    "cost_microusd": 1_000,
    "duration_s": 3.0,
    "active_share": 0.8,
    "longest_silence_s": 0.2,
    "clipped_share": 0.0,
    "spectral_difference_db": 3.0,
}
_TYPES = {
    "outcome": pl.Categorical,
    "attempts": pl.Int32,
    "audio_outcome": pl.Categorical,
    "sent_at": pl.Datetime("us", "UTC"),
    "voice": pl.Categorical,
    "cost_microusd": pl.Int64,
}
_WORDS = ["run_id", "operation", "cluster", "voice_id", "language", "segment"]
_NUMBERS = ("repetition", "billed_chars", "text_chars")


def times(count: int, *, median_s: float = 1.0, seed: int = 1, spread: float = 0.3) -> list[float]:
    """Log-normal call times; the same seed gives the same calls."""
    draws = np.random.default_rng(seed).standard_normal(count)
    return [float(time_s) for time_s in median_s * np.exp(spread * draws)]


def mostly(usual: Any, count: int, **exceptions: int) -> list[Any]:
    """`count` values, the first of them exceptions: `mostly("ok", 400, timeout_read=3)`."""
    values = [name for name, number in exceptions.items() for _ in range(number)]
    return values + [usual] * (count - len(values))


def some_pairs(
    count: int = 400,
    *,
    control: Mapping[str, Column] | None = None,
    candidate: Mapping[str, Column] | None = None,
    **columns: Column,
) -> pl.DataFrame:
    """Pairs as the judge reads them: control takes about 1 s, the candidate half of that, nothing fails."""
    return _frame(count, {"control": control or {}, "candidate": candidate or {}}, columns)


def some_noise(count: int = 100, *, repeat: Mapping[str, Column] | None = None, **columns: Column) -> pl.DataFrame:
    """Noise pairs: control twice."""
    return _frame(count, {"control": {}, "repeat": repeat or {}}, columns)


def _frame(count: int, sides: Mapping[str, Mapping[str, Column]], columns: Mapping[str, Column]) -> pl.DataFrame:
    operation = str(columns.get("operation", "generate"))
    data: dict[str, pl.Series] = {}
    base: dict[str, Column] = {
        "run_id": "run-1",
        "capture_id": [f"{operation}-{index}" for index in range(count)],
        "repetition": 0,
        "operation": operation,
        "cluster": [f"voice-{index % 40}" for index in range(count)],
        "voice_id": [f"voice-{index % 40}" for index in range(count)],
        "billed_chars": 100,
        "language": "en",
        "text_chars": 100,
        "segment": None,
        **columns,
    }
    for name, value in base.items():
        data[name] = _series(name, value, count, pl.Int64 if name in _NUMBERS else pl.String)
    for number, (side, changes) in enumerate(sides.items()):
        usual = {
            **_SIDE,
            "sent_at": [NOON + timedelta(seconds=index) for index in range(count)],
            "service_s": times(count, median_s=0.5 if side == "candidate" else 1.0, seed=number),
        }
        for name, value in {**usual, **changes}.items():
            data[f"{side}_{name}"] = _series(f"{side}_{name}", value, count, _TYPES.get(name, pl.Float64))
    return pl.DataFrame(data).with_columns(pl.col(_WORDS).cast(pl.Categorical))  # as it is read


def _series(name: str, value: Column, count: int, dtype: Any) -> pl.Series:
    return pl.Series(name, value if isinstance(value, list) else [value] * count, dtype=dtype, strict=False)


def a_scene(pairs: pl.DataFrame | None = None, *, noise: pl.DataFrame | None = None, family: int = 1) -> Scene:
    return Scene(
        operation=Operation.GENERATE,
        pairs=some_pairs() if pairs is None else pairs,
        noise_pairs=some_noise() if noise is None else noise,
        bar=Bar(alpha=0.05, family=family),
        unmeasured_max=0.02,
    )


def a_run_fact(run_id: str = "run-1", *, planned: int = 0, rows: int | None = None, **changes: Any) -> RunFacts:
    facts: dict[str, Any] = {
        "run_id": run_id,
        "kind": "replay",
        "started_at": NOON,
        "ended_at": NOON + timedelta(hours=1),
        "status": "complete",
        "planned": planned,
        "rows": planned if rows is None else rows,
        "models": frozenset({"candidate generate qwen/a-model@here", "control generate modal/old@there"}),
        "extractors": frozenset({"extractor-1"}),
    }
    return RunFacts(**{**facts, **changes})


def some_evidence(*frames: pl.DataFrame, noise: pl.DataFrame | None = None, runs: Any = None) -> Evidence:
    """Evidence whose ledger balances: every pair has both its legs."""
    pairs = pl.concat(frames) if frames else some_pairs(0)
    ledger: Counter[tuple[str, ...]] = Counter()
    for side in ("control", "candidate"):
        for row in pairs.select("run_id", pl.lit(side), "operation", f"{side}_outcome").iter_rows():
            ledger[row] += 1
    noise = some_noise(0) if noise is None else noise
    return Evidence(
        runs=runs or (a_run_fact(planned=2 * pairs.height),),
        pairs=pairs,
        noise_pairs=noise,
        ledger=pl.DataFrame(
            [(*key, number) for key, number in sorted(ledger.items())],
            schema={
                "run_id": pl.String,
                "lane": pl.String,
                "operation": pl.String,
                "outcome": pl.String,
                "exchanges": pl.Int64,
            },
            orient="row",
        ),
    )


def thresholds_of(folder: Path, text: str, *, stats: str = "min_pairs = 1\nmin_voices = 1\nmin_days = 1") -> Thresholds:
    """A thresholds file with these gates, written to `folder` and loaded."""
    path = folder / "thresholds.toml"
    path.write_text(f"schema = 1\n[stats]\n{stats}\n{text}")
    return Thresholds.load(path)
