"""The veto on broken voices: a few dead ones are averaged away by every pooled gate (verdicts.md 2.3 I)."""

import itertools
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.evalues import log_e_fail
from analysis.findings import Evaluated, conclude
from analysis.gates import PerVoice
from analysis.groups import Groups
from analysis.pairs import OUTCOME_CLASSES, ended_as, spoiled
from analysis.proofs import Bar, Proof
from analysis.scene import Scene
from analysis.units import count
from harness.judgement import Interval, Outcome

__all__ = ["judge_voices"]

_VOICES_NAMED: Final = 5  # in a reason


def judge_voices(name: str, gate: PerVoice, scene: Scene) -> Evaluated:
    """Voices that fail at the candidate and not at control, each shown by its own evidence (Holm over voices)."""
    voices = Groups(scene.pairs["voice_id"])
    requests, failed = voices.sizes[: voices.named], voices.counts(_failed_alone(scene.pairs))[: voices.named]
    judged = requests >= gate.min_requests
    number = int(np.count_nonzero(judged))
    # A voice that never failed alone cannot be shown broken, and most never did.
    suspects = np.flatnonzero(judged & (failed > 0))
    log_e = log_e_fail(failed[suspects], 0, requests[suspects], gate.fail_share, floor=0.0)
    broken = _shown_broken(voices.words[suspects].to_list(), log_e.tolist(), number, scene.bar)
    words = f"{len(broken)} of {count(number, 'voice')} with {gate.min_requests} or more requests"
    if broken:
        more = "" if len(broken) <= _VOICES_NAMED else f" and {len(broken) - _VOICES_NAMED} more"
        words += f": {', '.join(each.name for each in broken[:_VOICES_NAMED])}{more}"
    proof = Proof(
        outcome=Outcome.FAIL if broken else Outcome.PASS,
        interval=Interval(estimate=float(len(broken)), low=None, high=None, level=1.0 - scene.bar.alpha),
        limit=0.0,
        unit="voices",
        words=words,
        strength=broken[0].excess if broken else 0.0,
    )
    counts = {"voices": number, "broken": len(broken), "pairs": int(requests[judged].sum())}
    return conclude(name, gate, scene, [proof], "shown broken:", counts)


class _Broken(NamedTuple):
    name: str
    excess: float  # log evidence beyond what was needed


def _failed_alone(pairs: pl.DataFrame) -> NDArray[np.intp]:
    """Places of the pairs in which the candidate failed and control did not."""
    failures = (*OUTCOME_CLASSES["errors"], *OUTCOME_CLASSES["refusals"])
    broken, control_too = (ended_as(side, failures) | spoiled(side) for side in ("candidate", "control"))
    return np.flatnonzero(pairs.select((broken & ~control_too).fill_null(value=False)).to_series().to_numpy())


def _shown_broken(names: Sequence[str], log_e: Sequence[float], voices: int, bar: Bar) -> list[_Broken]:
    """Holm: the strongest evidence must be proof among all voices, the next among all others, and so on."""
    ranked = sorted(zip(log_e, names, strict=True), key=lambda each: (-each[0], each[1]))
    excess = (each - bar.to_fail - math.log(voices - rank) for rank, (each, _) in enumerate(ranked))
    found = (_Broken(name, each) for (_, name), each in zip(ranked, excess, strict=True))
    return list(itertools.takewhile(lambda voice: voice.excess >= 0.0, found))
