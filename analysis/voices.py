"""The veto on broken voices: a few dead ones are averaged away by every pooled gate (verdicts.md 2.3 I)."""

from typing import Final

import numpy as np
import polars as pl

from analysis.evalues import log_e_fail
from analysis.findings import Evaluated, conclude
from analysis.gates import PerVoice
from analysis.pairs import OUTCOME_CLASSES, ended_as, spoiled
from analysis.proofs import Proof
from analysis.scene import Scene
from analysis.units import count
from harness.judgement import Interval, Outcome

__all__ = ["judge_voices"]

_VOICES_NAMED: Final = 5  # in a reason


def judge_voices(name: str, gate: PerVoice, scene: Scene) -> Evaluated:
    """Voices that fail at the candidate and not at control, each shown by its own evidence (Holm over voices)."""
    failures = (*OUTCOME_CLASSES["errors"], *OUTCOME_CLASSES["refusals"])
    broken = {side: ended_as(side, failures) | spoiled(side) for side in ("candidate", "control")}
    voices = (
        scene.pairs.lazy()
        .filter(pl.col("voice_id").is_not_null())
        .select("voice_id", bad=broken["candidate"] & ~broken["control"])  # not group by group, which takes longer
        .group_by("voice_id")
        .agg(pl.len().alias("pairs"), pl.col("bad").sum())
        .filter(pl.col("pairs") >= gate.min_requests)
        .sort("voice_id")
        .collect()
    )
    log_e = log_e_fail(voices["bad"].to_numpy(), 0, voices["pairs"].to_numpy(), gate.fail_share, floor=0.0)
    order = np.argsort(-log_e, kind="stable")
    needed = scene.bar.to_fail + np.log(np.arange(voices.height, 0, -1))
    short = np.flatnonzero(log_e[order] < needed)
    found = order[: short[0]] if short.size else order
    names = [str(voices["voice_id"][int(index)]) for index in found]
    outcome = Outcome.FAIL if names else Outcome.PASS
    words = f"{len(names)} of {count(voices.height, 'voice')} with {gate.min_requests} or more requests"
    if names:
        more = "" if len(names) <= _VOICES_NAMED else f" and {len(names) - _VOICES_NAMED} more"
        words += f": {', '.join(names[:_VOICES_NAMED])}{more}"
    proof = Proof(
        outcome=outcome,
        interval=Interval(estimate=float(len(names)), low=None, high=None, level=1.0 - scene.bar.alpha),
        limit=0.0,
        unit="voices",
        words=words,
        strength=float(log_e[order[0]] - needed[0]) if names else 0.0,
    )
    counts = {"voices": voices.height, "broken": len(names), "pairs": int(voices["pairs"].sum())}
    return conclude(name, gate, scene, [proof], "shown broken:", counts)
