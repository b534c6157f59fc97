"""What the gates of one operation are judged on, with what several of them need of it worked out once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from analysis.marks import earliest_timed
from analysis.proofs import Bar
from harness.speech import Operation

__all__ = ["Scene"]

_KEYS: Final = ["run_id", "capture_id", "repetition"]


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
