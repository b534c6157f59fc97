"""The gate on money: what all that was sent cost, by what was delivered."""

import polars as pl

from analysis import proofs
from analysis.estimates import Bootstrap
from analysis.findings import Evaluated, Scene, conclude, unjudged
from analysis.gates import RatioOfTotals
from analysis.pairs import ended_as, heard
from analysis.units import count
from harness.errors import KINDS, Charge
from harness.exchanges import OK
from harness.judgement import Outcome

__all__ = ["judge_cost"]


def judge_cost(name: str, gate: RatioOfTotals, scene: Scene) -> Evaluated:
    """Money for all that was sent, by what was delivered: a failure that was billed makes the rest dearer."""
    sides = ("candidate",) if gate.ratio_max is None else ("candidate", "control")
    costs = scene.pairs.select(
        "cluster",
        *(expression for side in ("control", "candidate") for expression in _price_columns(side, gate)),
        *(_unpriced(side).alias(f"{side}_unpriced") for side in ("control", "candidate")),
    )
    for side in sides:
        unpriced = int(costs[f"{side}_unpriced"].sum())
        if unpriced:
            why = (
                f"the price of {count(unpriced, f'{side} exchange')} is unknown; add it to data/prices.toml and replay"
            )
            counts = {"pairs": costs.height, "unpriced": unpriced}
            return unjudged(name, gate, scene.operation, outcome=Outcome.INVALID, why=why, counts=counts)
    columns = ["candidate_cost", "candidate_units", "control_cost", "control_units"]
    sums = Bootstrap(costs.with_columns(pl.col(columns).fill_null(0)), columns)
    claims = []
    if gate.ratio_max is not None:
        ratio = sums.totals(lambda each: (each[0] / each[1]) / (each[2] / each[3]))
        claims.append(proofs.prove_total(ratio, gate.ratio_max, "ratio", costs.height, scene.bar))
    if gate.abs_max_usd is not None:
        scale = 1e-6 * (1000.0 if gate.per == "1k_chars" else 1.0)
        price = sums.totals(lambda each: scale * each[0] / each[1])
        claims.append(proofs.prove_total(price, gate.abs_max_usd, gate.unit, costs.height, scene.bar))
    delivered = {f"{side}_delivered": scene.pairs.filter(heard(side)).height for side in ("candidate", "control")}
    return conclude(name, gate, scene, claims, "candidate", {"pairs": costs.height, **delivered})


def _unpriced(side: str) -> pl.Expr:
    """Delivered, and nobody knows for how much."""
    return (pl.col(f"{side}_outcome") == OK) & pl.col(f"{side}_cost_microusd").is_null()


def _price_columns(side: str, gate: RatioOfTotals) -> tuple[pl.Expr, pl.Expr]:
    """Micro-dollars and delivered units, whole numbers so that sums are exact.

    A failure whose cost is open counts against the candidate: as its dearest known call there, as nothing at control.
    """
    cost = pl.col(f"{side}_cost_microusd")
    free = ended_as(side, [kind for kind, facts in KINDS.items() if facts.charge is Charge.NOTHING])
    in_doubt = cost.max() if side == "candidate" else pl.lit(0)
    booked = pl.when(cost.is_null()).then(pl.when(free).then(pl.lit(0)).otherwise(in_doubt)).otherwise(cost)
    units = pl.col("billed_chars").cast(pl.Int64) if gate.per == "1k_chars" else pl.lit(1, dtype=pl.Int64)
    delivered = pl.when(pl.col(f"{side}_outcome") == OK).then(units).otherwise(pl.lit(0, dtype=pl.Int64))
    return booked.alias(f"{side}_cost"), delivered.alias(f"{side}_units")
