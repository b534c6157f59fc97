"""What a replay would do, before it does it: captures, legs, what it may cost, and one hash over all of it.

The hash binds captures, selection, lanes, seed, providers and prices. Money is spent only for a hash that somebody
has seen and confirmed, and a run that was interrupted is found again by it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.exchanges import Capture, Lane, Leg
from replay.lanes import legs_of

__all__ = ["LaneTarget", "PlanEntry", "ReplayPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTarget:
    """Where a lane leads."""

    provider: str
    account: str  # under which voices and spending are booked
    region: str | None
    models: Mapping[str, str]  # what for → model id


class PlanEntry(NamedTuple):
    """One capture and its legs, in the order in which they start."""

    capture: Capture
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """A replay that could be run."""

    captures: Sequence[Capture]
    capture_sha256: str
    targets: Mapping[Lane, LaneTarget]
    seed: int
    repeat_share: float
    repetitions: int
    price_version: str
    labels: Mapping[str, str] = field(default_factory=dict)  # the caller's own notes

    def identity(self) -> dict[str, Any]:
        """All that makes this plan this plan, as JSON."""
        return {
            "capture_sha256": self.capture_sha256,
            "capture_ids_sha256": _sha256([capture.id for capture in self.captures]),
            "captures": len(self.captures),
            "targets": {
                lane.value: {
                    "provider": target.provider,
                    "account": target.account,
                    "region": target.region,
                    "models": dict(target.models),
                }
                for lane, target in self.targets.items()
            },
            "seed": self.seed,
            "repeat_share": self.repeat_share,
            "repetitions": self.repetitions,
            "price_version": self.price_version,
            "labels": dict(self.labels),
        }

    @property
    def sha256(self) -> str:
        """The plan's hash."""
        return _sha256(self.identity())

    @property
    def confirmation(self) -> str:
        """What has to be typed to spend money on it: the head of its hash."""
        return self.sha256[:12]

    def entries(self) -> Iterator[PlanEntry]:
        """Every capture and repetition with its legs."""
        legs = legs_of(
            (capture.id for capture in self.captures),
            seed=self.seed,
            repeat_share=self.repeat_share,
            repetitions=self.repetitions,
        )
        for capture in self.captures:
            for _ in range(self.repetitions):
                yield PlanEntry(capture, next(legs))

    def leg_counts(self) -> Counter[Lane]:
        """Lane → how many legs."""
        return Counter(leg.lane for entry in self.entries() for leg in entry.legs)


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
