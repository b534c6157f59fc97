"""What is compared between the two sounds of a pair, and how large a difference is worth a listen.

A contrast orders the list of pairs and explains one pair; whether the candidate passes is the judge's business.
A difference is read in multiples of noise: the 95th percentile of the same difference between control and repeat.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["CONTRASTS", "Contrast", "How"]


class How(StrEnum):
    """How two numbers are compared."""

    PERCENT = "percent"  # by how many percent the other is larger
    DIFFERENCE = "difference"  # other minus control
    POINTS = "points"  # other minus control, in percentage points
    SEMITONES = "semitones"  # twelve times the base-2 logarithm of the ratio
    DISTANCE = "distance"  # Euclidean, of two lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One feature of both sides, and how they differ."""

    column: str  # of the features table
    label: str
    unit: str  # of the feature itself
    how: How
    difference_unit: str
    floor: float  # nobody hears less: keeps a very steady noise lane from magnifying trifles

    def sql(self, lane: str) -> str:
        """The difference between `control_…` and `{lane}_…` as an expression; null where either is missing."""
        ours, other = f"control_{self.column}", f"{lane}_{self.column}"
        return {
            How.PERCENT: f"100 * ({other} / nullif({ours}, 0) - 1)",
            How.DIFFERENCE: f"({other} - {ours})",
            How.POINTS: f"100 * ({other} - {ours})",
            How.SEMITONES: f"12 * log2(nullif({other}, 0) / nullif({ours}, 0))",
            How.DISTANCE: f"list_distance({ours}, {other})",
        }[self.how]


# The floors are engineering defaults near what listeners notice; they only order a list.
CONTRASTS: Final = (
    Contrast(column="duration_s", label="Duration", unit="s", how=How.PERCENT, difference_unit="%", floor=3),
    Contrast(column="loudness_lufs", label="Loudness", unit="LUFS", how=How.DIFFERENCE, difference_unit="LU", floor=1),
    Contrast(
        column="f0_median_hz", label="Pitch", unit="Hz", how=How.SEMITONES, difference_unit="semitones", floor=0.5
    ),
    Contrast(
        column="f0_iqr_semitones",
        label="Melody (pitch spread)",
        unit="semitones",
        how=How.DIFFERENCE,
        difference_unit="semitones",
        floor=0.5,
    ),
    Contrast(
        column="centroid_hz", label="Brightness (centroid)", unit="Hz", how=How.PERCENT, difference_unit="%", floor=5
    ),
    Contrast(
        column="mfcc_mean", label="Timbre (MFCC distance)", unit="", how=How.DISTANCE, difference_unit="", floor=5
    ),
    Contrast(
        column="leading_silence_s",
        label="Silence before speech",
        unit="s",
        how=How.DIFFERENCE,
        difference_unit="s",
        floor=0.1,
    ),
    Contrast(
        column="trailing_silence_s",
        label="Silence after speech",
        unit="s",
        how=How.DIFFERENCE,
        difference_unit="s",
        floor=0.1,
    ),
    Contrast(
        column="longest_silence_s",
        label="Longest pause",
        unit="s",
        how=How.DIFFERENCE,
        difference_unit="s",
        floor=0.1,
    ),
    Contrast(column="active_share", label="Speech share", unit="share", how=How.POINTS, difference_unit="pp", floor=5),
    Contrast(
        column="clipped_share", label="Clipped samples", unit="share", how=How.POINTS, difference_unit="pp", floor=0.01
    ),
)
