"""The kinds of gates a thresholds file may set, each with its limits.

A gate says what is demanded; how it is measured is the business of `findings.py`.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from harness.speech import Operation
from harness.store.schema import TABLES

__all__ = [
    "AUDIO_FEATURES",
    "DISTANCES",
    "KINDS",
    "TIMINGS",
    "ClusterMean",
    "Condition",
    "Gate",
    "GateBase",
    "PairedAny",
    "PairedBand",
    "PairedBinary",
    "PairedExceed",
    "PairedTail",
    "PerVoice",
    "RatioOfTotals",
    "Section",
]

AUDIO_FEATURES: Final = tuple(column.name for column in TABLES["features"].columns if column.type == "DOUBLE")
TIMINGS: Final = ("service_s", "first_byte_s", "first_audio_s", "from_due_s")  # columns of table `exchanges`

# Columns of table `pair_features` that grow with the unlikeness of two audios of one capture; an absolute value counts.
DISTANCES: Final = (
    "mfcc_dtw_distance",
    "f0_contour_semitones",
    "spectral_difference_db",
    "loudness_difference_lu",
    "f0_shift_semitones",
    "longest_skip_s",
    "mfcc_dtw_worst",
    "treble_difference_db",
)


def _one_of(valid: tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in valid:
            raise ValueError(f'is "{name}"; use one of {", ".join(valid)}')
        return name

    return AfterValidator(check)


AudioFeature = Annotated[str, _one_of(AUDIO_FEATURES)]
Timing = Annotated[str, _one_of(TIMINGS)]
AnyFeature = Annotated[str, _one_of(AUDIO_FEATURES + TIMINGS)]
MeanFeature = Annotated[str, _one_of(AUDIO_FEATURES + DISTANCES)]
Points = Annotated[float, Field(ge=0, lt=100)]  # percentage points of extra bad requests
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A table of the file: nothing unknown in it, and nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GateBase(Section):
    """What every gate may say."""

    operations: tuple[Operation, ...] = tuple(Operation)
    blocking: bool = True  # an advisory gate is shown and never votes

    @property
    def claims(self) -> int:
        """Hypotheses it tests: what the family-wise error of a fail is shared among."""
        return 1

    @property
    def features(self) -> frozenset[str]:
        """Columns it needs of each side of a pair, beyond those that are always read."""
        return frozenset()


class _Limits(Section):
    feature: AnyFeature
    above: float | None = None
    below: float | None = None
    limit_of_control_p95: Positive | None = None  # bad above this many times control's 95th percentile

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        low, high = getattr(self, "ratio_low", None), getattr(self, "ratio_high", None)
        if (low is None) != (high is None):
            raise ValueError("has one end of a band; give both ratio_low and ratio_high")
        if sum(limit is not None for limit in (self.above, self.below, self.limit_of_control_p95, low)) != 1:
            raise ValueError(
                "takes exactly one limit: above, below or limit_of_control_p95 (in a condition also a band)"
            )
        if self.limit_of_control_p95 is not None and self.feature not in TIMINGS:
            raise ValueError(f"limit_of_control_p95 is for timings ({', '.join(TIMINGS)})")
        return self


class Condition(_Limits):
    """When one audio is bad."""

    ratio_low: Positive | None = None  # bad when candidate / control is outside [ratio_low, ratio_high]
    ratio_high: Positive | None = None


class PairedBinary(GateBase):
    """The candidate's share of some outcome, against control's and against a fixed share."""

    kind: Literal["paired_binary"]
    counts: Literal["errors", "timeouts", "refusals", "rate_limited"] = "errors"
    margin_pp: Points | None = None
    abs_max_pct: Annotated[float, Field(gt=0, lt=100)] | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.margin_pp is None and self.abs_max_pct is None:
            raise ValueError("sets no limit; give margin_pp, abs_max_pct or both")
        return self

    @property
    def claims(self) -> int:
        """One for each limit."""
        return (self.margin_pp is not None) + (self.abs_max_pct is not None)


class PairedTail(GateBase):
    """A slow quantile of the candidate, against control's and against fixed seconds."""

    kind: Literal["paired_tail"]
    feature: Timing = "service_s"
    quantile: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    ratio_max: Positive
    abs_max_s: Positive | None = None

    @property
    def claims(self) -> int:
        """One for each limit."""
        return 1 + (self.abs_max_s is not None)

    @property
    def features(self) -> frozenset[str]:
        """Its timing."""
        return frozenset({self.feature})


class PairedExceed(GateBase, _Limits):
    """The share of requests with a feature beyond a limit, against control's share."""

    kind: Literal["paired_exceed"]
    margin_pp: Points

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The one condition."""
        return (Condition(**self.model_dump(include=set(_Limits.model_fields))),)

    @property
    def features(self) -> frozenset[str]:
        """Its feature."""
        return frozenset({self.feature})


class PairedBand(GateBase):
    """The share of pairs whose ratio candidate / control of a feature leaves a band."""

    kind: Literal["paired_band"]
    feature: AudioFeature
    low: Positive
    high: Positive
    margin_pp: Points

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if not self.low < 1.0 < self.high:
            raise ValueError("needs low < 1 < high: equal audio must lie inside the band")
        return self

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The one condition."""
        return (Condition(feature=self.feature, ratio_low=self.low, ratio_high=self.high),)

    @property
    def features(self) -> frozenset[str]:
        """Its feature."""
        return frozenset({self.feature})


class PairedAny(GateBase):
    """The share of audios that meet any of several conditions: small defects of many kinds add up."""

    kind: Literal["paired_any"]
    any: Annotated[tuple[Condition, ...], Field(min_length=1)]
    margin_pp: Points

    @model_validator(mode="after")
    def _is_about_audio(self) -> Self:
        timings = [condition.feature for condition in self.any if condition.feature in TIMINGS]
        if timings:
            raise ValueError(f"is about audio; {timings[0]} is a timing, which needs a gate of its own")
        return self

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All of them; one that holds is enough."""
        return self.any

    @property
    def features(self) -> frozenset[str]:
        """Those of its conditions."""
        return frozenset(condition.feature for condition in self.any)


class RatioOfTotals(GateBase):
    """What the candidate costs, against control and against a fixed price."""

    kind: Literal["ratio_of_totals"]
    per: Literal["1k_chars", "request"]
    ratio_max: Positive | None = None
    abs_max_usd: Positive | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.ratio_max is None and self.abs_max_usd is None:
            raise ValueError("sets no limit; give ratio_max, abs_max_usd or both")
        return self

    @property
    def unit(self) -> str:
        """Of its absolute limit."""
        return "usd_per_1k_chars" if self.per == "1k_chars" else "usd_per_request"

    @property
    def claims(self) -> int:
        """One for each limit."""
        return (self.ratio_max is not None) + (self.abs_max_usd is not None)


class ClusterMean(GateBase):
    """The mean of a feature over voices, or users where there is no voice: requests of one are not independent.

    A distance from control's audio is held against the distance of control's own repeat; any other feature against
    control's.
    """

    kind: Literal["cluster_mean"]
    feature: MeanFeature
    margin: Positive  # in the feature's unit
    worse: Literal["higher", "lower"] = "higher"
    min_clusters: Annotated[int, Field(ge=20)] = 40

    @model_validator(mode="after")
    def _knows_its_direction(self) -> Self:
        if self.is_distance and self.worse == "lower":
            raise ValueError(f'says worse = "lower", but {self.feature} is a distance; leave worse out')
        return self

    @property
    def is_distance(self) -> bool:
        """Its feature compares two audios."""
        return self.feature in DISTANCES

    @property
    def features(self) -> frozenset[str]:
        """Its feature."""
        return frozenset({self.feature})


class PerVoice(GateBase):
    """A veto: fails when some voice is shown to be broken, and never waits for a proof that none is."""

    kind: Literal["per_voice"]
    fail_share: Annotated[float, Field(gt=0, lt=1)] = 0.20
    min_requests: Annotated[int, Field(ge=1)] = 5


Gate = PairedBinary | PairedTail | PairedExceed | PairedBand | PairedAny | RatioOfTotals | ClusterMean | PerVoice
KINDS: Final[dict[str, type[GateBase]]] = {
    model.model_fields["kind"].annotation.__args__[0]: model  # type: ignore[union-attr] # a Literal of one word
    for model in (PairedBinary, PairedTail, PairedExceed, PairedBand, PairedAny, RatioOfTotals, ClusterMean, PerVoice)
}
