"""The gate on money: what all that was sent cost, by what was delivered."""

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis import proofs
from analysis.estimates import Bootstrap
from analysis.findings import Evaluated, conclude, unjudged
from analysis.gates import RatioOfTotals
from analysis.intervals import Beside
from analysis.pairs import ended_as, heard
from analysis.scene import Scene
from analysis.units import count
from harness.errors import KINDS, Charge
from harness.exchanges import OK
from harness.judgement import Outcome

__all__ = ["judge_cost"]

FloatArray = NDArray[np.float64]


_COLUMNS: Final = ["candidate_cost", "candidate_units", "control_cost", "control_units"]
_SIDES: Final = ("control", "candidate")
_FREE: Final = tuple(kind for kind, facts in KINDS.items() if facts.charge is Charge.NOTHING)


def judge_cost(name: str, gate: RatioOfTotals, scene: Scene) -> Evaluated:
    """Money for all that was sent, by what was delivered: a failure that was billed makes the rest dearer."""
    pairs = scene.pairs.height
    for side in ("candidate",) if gate.ratio_max is None else ("candidate", "control"):
        unpriced = _number(scene.pairs, _unpriced(side))
        if unpriced:
            why = (
                f"the price of {count(unpriced, f'{side} exchange')} is unknown; add it to data/prices.toml and replay"
            )
            counts = {"pairs": pairs, "unpriced": unpriced}
            return unjudged(name, gate, scene.operation, outcome=Outcome.INVALID, why=why, counts=counts)
    sums = _sums(gate, scene)
    limits = {"ratio": gate.ratio_max, gate.unit: gate.abs_max_usd}
    claims = [
        proofs.prove_total(sums.totals(function), limits[unit] or 0.0, unit, pairs, scene.bar)
        for function, unit in _ratios(gate)
    ]
    delivered = {f"{side}_delivered": _number(scene.pairs, heard(side)) for side in ("candidate", "control")}
    evaluated = conclude(name, gate, scene, claims, "candidate", {"pairs": pairs, **delivered})
    return evaluated._replace(beside=tuple(_corrected(sums, function, unit) for function, unit in _ratios(gate)))


def _number(pairs: pl.DataFrame, which: pl.Expr) -> int:
    return int(pairs.select(which.sum()).item())


def _corrected(sums: Bootstrap, function: Callable[[FloatArray], FloatArray], unit: str) -> Beside:
    """The textbook's interval of the same draws."""
    return Beside("all money by all delivered", "BCa over voices", unit, *sums.corrected(function, level=0.95))


def _sums(gate: RatioOfTotals, scene: Scene) -> Bootstrap:
    """Sums of money and of what was delivered, of both sides."""
    costs = scene.pairs.select("cluster", *(each for side in _SIDES for each in _price_columns(side, gate)))
    return Bootstrap(costs.with_columns(pl.col(_COLUMNS).fill_null(0)), _COLUMNS)


def _ratios(gate: RatioOfTotals) -> list[tuple[Callable[[FloatArray], FloatArray], str]]:
    """What the gate limits, each as a function of those sums with its unit."""
    scale = 1e-6 * (1000.0 if gate.per == "1k_chars" else 1.0)
    found: list[tuple[Callable[[FloatArray], FloatArray], str]] = []
    if gate.ratio_max is not None:
        found.append((lambda each: (each[0] / each[1]) / (each[2] / each[3]), "ratio"))
    if gate.abs_max_usd is not None:
        found.append((lambda each: scale * each[0] / each[1], gate.unit))
    return found


def _unpriced(side: str) -> pl.Expr:
    """Delivered, and nobody knows for how much."""
    return (pl.col(f"{side}_outcome") == OK) & pl.col(f"{side}_cost_microusd").is_null()


def _price_columns(side: str, gate: RatioOfTotals) -> tuple[pl.Expr, pl.Expr]:
    """Micro-dollars and delivered units, whole numbers so that sums are exact.

    A failure whose cost is open counts against the candidate: as its dearest known call there, as nothing at control.
    """
    cost = pl.col(f"{side}_cost_microusd")
    free = ended_as(side, _FREE)
    in_doubt = cost.max() if side == "candidate" else pl.lit(0)
    booked = pl.when(cost.is_null()).then(pl.when(free).then(pl.lit(0)).otherwise(in_doubt)).otherwise(cost)
    units = pl.col("billed_chars").cast(pl.Int64) if gate.per == "1k_chars" else pl.lit(1, dtype=pl.Int64)
    delivered = pl.when(pl.col(f"{side}_outcome") == OK).then(units).otherwise(pl.lit(0, dtype=pl.Int64))
    return booked.alias(f"{side}_cost"), delivered.alias(f"{side}_units")
