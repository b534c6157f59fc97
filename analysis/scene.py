"""What the gates of one operation are judged on, with what several of them need of it worked out once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.gates import Gate
from analysis.marks import Marks, earliest_timed
from analysis.pairs import Flags, flags_of, seconds, timed
from analysis.proofs import Bar
from harness.speech import Operation

__all__ = ["Scene", "Times"]

FloatArray = NDArray[np.float64]

_KEYS: Final = ["run_id", "capture_id", "repetition"]


class Times(NamedTuple):
    """Seconds of the pairs that were timed on both sides, in the same order."""

    control: FloatArray  # infinite for a timeout, and where it was not taken
    candidate: FloatArray


@dataclass(frozen=True, kw_only=True)  # without slots: what was worked out is kept
class Scene:
    """The evidence of one operation, and what counts as proven."""

    operation: Operation
    pairs: pl.DataFrame  # answered in both lanes, each capture once
    noise_pairs: pl.DataFrame  # control and repeat
    bar: Bar
    unmeasured_max: float  # share of pairs whose audio or timing we may have failed to measure
    held_back_share: float = 0.0  # of the legs of some run, those that we made wait ourselves
    is_paced: bool = True  # every run had a schedule for its captures

    @cached_property
    def earliest(self) -> pl.DataFrame:
        """The pairs that references of timings are frozen on."""
        return earliest_timed(self.pairs)

    @cached_property
    def triples(self) -> pl.DataFrame:
        """The pairs whose capture went to control twice, with the columns of the repeat beside them."""
        repeats = self.noise_pairs.select(*_KEYS, pl.col("^repeat_.*$"))
        return self.pairs.join(repeats.unique(_KEYS, keep="any"), on=_KEYS, how="inner")

    def flags(self, gate: Gate, marks: Marks) -> Flags:
        """What a gate sees in each pair by its marks."""
        if gate not in self._flags:
            self._flags[gate] = flags_of(self.pairs, marks.candidate, marks.control, among=marks.among)
        return self._flags[gate]

    def times(self, feature: str) -> Times:
        """A timing of both sides."""
        if feature not in self._times:
            both = self.pairs.lazy().filter(timed(*Times._fields))
            found = both.select(seconds(side, feature).alias(side) for side in Times._fields).collect()
            self._times[feature] = Times(*(found[side].to_numpy() for side in Times._fields))
        return self._times[feature]

    @cached_property
    def _flags(self) -> dict[Gate, Flags]:
        return {}

    @cached_property
    def _times(self) -> dict[str, Times]:
        return {}
