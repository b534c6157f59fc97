"""Control's own noise: how often it leaves a band of itself, which no candidate can do less than.

A band compares the candidate's audio with control's. Two takes of control differ too, so where captures have a repeat
the candidate is compared with the repeat: d = 1[candidate outside] - 1[repeat outside].
"""

from functools import lru_cache
from typing import NamedTuple

from analysis.evalues import log_e_fail, log_e_pass, lower_bound
from analysis.marks import Conditions, condition_marks, is_relative
from analysis.pairs import Counts, count_pairs
from analysis.proofs import Bar
from analysis.scene import Scene
from analysis.units import amount, count

__all__ = ["Floor", "floor_of"]


class Floor(NamedTuple):
    """What is known of control's noise by one gate."""

    noise: Counts  # repeat against control, in the candidate's place
    triples: Counts  # candidate against repeat, on captures that have both
    needed: int  # triples from which equal providers can be shown to be equal

    @property
    def is_known(self) -> bool:
        """There are captures enough with a repeat to compare the candidate with it."""
        return self.triples.pairs >= self.needed

    def refusal(self, margin_pp: float, bar: Bar) -> str | None:
        """Why no candidate could keep to `margin_pp`, with the numbers; None when one could."""
        worse, pairs = self.noise.candidate_only, self.noise.pairs
        if log_e_fail(worse, 0, pairs, margin_pp / 100.0, floor=0.0) < bar.to_fail:
            return None
        least = 100.0 * float(lower_bound(worse, 0, pairs, alpha=bar.alpha, floor=0.0))
        return (
            f"the limit {amount(margin_pp, 'pp', signed=True)} lies below control's own noise: its repeat is outside "
            f"in {worse:,} of {count(pairs, 'noise pair')}, at least {amount(least, 'pct')}; "
            "widen the band, or replay more repeats so that noise can be taken off"
        )


def floor_of(gate: Conditions, scene: Scene, p95_s: float | None) -> Floor:
    """The noise of control in one operation.

    Args:
        gate: The rule.
        scene: What it is judged on.
        p95_s: Control's frozen 95th percentile, where the gate is about a timing.
    """
    noise = condition_marks(gate, p95_s, candidate="repeat")
    alone = count_pairs(scene.noise_pairs, noise.candidate, noise.control, among=noise.among)
    if not is_relative(gate):
        # Control's own share is taken off pair by pair already: there is nothing to compare with the repeat.
        return Floor(noise=alone, triples=Counts(0, 0, 0, 0), needed=1)
    ours = condition_marks(gate, p95_s)
    return Floor(
        noise=alone,
        triples=count_pairs(scene.triples, ours.candidate, noise.candidate, among=ours.among & noise.among),
        needed=_fewest(gate.margin_pp / 100.0, scene.bar),
    )


@lru_cache(maxsize=256)  # the same of every share that the self-test spoils
def _fewest(margin: float, bar: Bar) -> int:
    """Pairs without any difference that would prove `margin`."""
    most = 1
    while log_e_pass(0, 0, most, margin) < bar.to_pass and most < 1_000_000:
        most *= 2
    low, high = most // 2, most
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if log_e_pass(0, 0, middle, margin) >= bar.to_pass else (middle, high)
    return high
