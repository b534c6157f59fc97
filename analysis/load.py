"""Whether time from being due tells of the providers: not when our own run decided how long a call waited."""

from collections.abc import Mapping, Sequence
from typing import Final

from analysis.evidence import AT_ONCE, RunFacts
from analysis.gates import Gate, PairedAny, PairedBand, PairedExceed, PairedTail
from analysis.scene import Scene
from harness.store.balance import HELD_BACK_SHARE

__all__ = ["counting", "held_back", "is_paced", "load_fault"]

_UNDER_LOAD: Final = "from_due_s"  # the one timing that holds our own waiting too; time from sending never does
_ROUNDING: Final = 1e-9  # 1 - 0.99 is a little more than 0.01


def held_back(runs: Sequence[RunFacts]) -> float:
    """Share of the legs of the worst run that our own quota, budget or concurrency made wait."""
    return max((run.held_back_share for run in runs), default=0.0)


def is_paced(runs: Sequence[RunFacts]) -> bool:
    """No run sent its captures as fast as our own limits allowed; one that does not say is believed."""
    return all(run.pacing != AT_ONCE for run in runs)


def load_fault(gate: Gate, scene: Scene) -> str | None:
    """Why the gate cannot count, with the numbers; None when it can, as every gate that looks at something else."""
    if _UNDER_LOAD not in gate.features:
        return None
    if not scene.is_paced:
        return (
            "a run was sent as fast as our own quota allows, so time under load does not count; replay with --pace, "
            "for example recorded"
        )
    if scene.held_back_share > min(HELD_BACK_SHARE, _decisive_share(gate)) + _ROUNDING:
        return (
            f"our own quota, budget or concurrency held back {100.0 * scene.held_back_share:.1f} % of the calls, so "
            "time under load does not count; replay slower, or with a larger quota"
        )
    return None


def counting(gates: Mapping[str, Gate], scene: Scene) -> dict[str, Gate]:
    """The gates without those that cannot count."""
    return {name: gate for name, gate in gates.items() if load_fault(gate, scene) is None}


def _decisive_share(gate: Gate) -> float:
    """Of slow calls, the share that decides the gate."""
    match gate:
        case PairedTail():
            return 1.0 - gate.quantile
        case PairedExceed() | PairedBand() | PairedAny():
            return gate.margin_pp / 100.0
    return HELD_BACK_SHARE
