"""Which function judges which kind of gate, and what becomes of a gate whose judging breaks."""

import logging
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from analysis.clusters import judge_clusters
from analysis.costs import judge_cost
from analysis.faults import failure_of_ours
from analysis.findings import Evaluated, unjudged
from analysis.gates import (
    ClusterMean,
    Gate,
    PairedAny,
    PairedBand,
    PairedBinary,
    PairedExceed,
    PairedTail,
    PerVoice,
    RatioOfTotals,
)
from analysis.scene import Scene
from analysis.shares import judge_conditions, judge_outcomes, judge_tail
from analysis.voices import judge_voices
from harness.judgement import Outcome

__all__ = ["evaluate"]

log = logging.getLogger(__name__)

_EVALUATORS: Final = MappingProxyType[type[Gate], Callable[..., Evaluated]](
    {
        PairedBinary: judge_outcomes,
        PairedTail: judge_tail,
        PairedExceed: judge_conditions,
        PairedBand: judge_conditions,
        PairedAny: judge_conditions,
        RatioOfTotals: judge_cost,
        ClusterMean: judge_clusters,
        PerVoice: judge_voices,
    }
)


def evaluate(name: str, gate: Gate, scene: Scene) -> Evaluated:
    """The finding of one gate; `invalid` when judging it raises, so that no mistake of ours looks like a pass."""
    try:
        return _EVALUATORS[type(gate)](name, gate, scene)
    except Exception as error:
        log.exception("gate could not be judged", extra={"gate": name, "operation": scene.operation.value})
        counts = {"pairs": scene.pairs.height}
        why = failure_of_ours(error)
        return unjudged(name, gate, scene.operation, outcome=Outcome.INVALID, why=why, counts=counts)
