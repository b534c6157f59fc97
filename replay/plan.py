"""What a replay would do, before it does it: captures, legs, what it may cost, and one hash over all of it.

The hash binds captures, selection, lanes, seed, providers and prices. Money is spent only for a hash that somebody
has seen and confirmed, and a run that was interrupted is found again by it.
"""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.exchanges import Capture, Lane, Leg
from replay.lanes import legs_of, repeated_until

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
    repeat_pairs: int = 0  # noise pairs that each operation gets at least, as far as it has captures
    warm_up: int = 0  # captures sent beforehand to every lane and kept apart
    labels: Mapping[str, str] = field(default_factory=dict)  # the caller's own notes
    _memo: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def identity(self) -> dict[str, Any]:
        """All that makes this plan this plan, as JSON."""
        return {
            "capture_sha256": self.capture_sha256,
            "capture_ids_sha256": self._ids_sha256(),
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
            "repeat_pairs": self.repeat_pairs,
            "warm_up": self.warm_up,
            "labels": dict(self.labels),
        }

    def _ids_sha256(self) -> str:
        """The hash of all ids; found once, since a million captures take a while to read."""
        if "ids" not in self._memo:
            self._memo["ids"] = _ids_sha256(self.captures)
        return self._memo["ids"]

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
        captures, ahead = itertools.tee(self.captures)
        legs = legs_of(
            (capture.id for capture in ahead),
            seed=self.seed,
            repeat_share=self.repeat_share,
            repetitions=self.repetitions,
            repeated=repeated_until(self.repeat_pairs, self.captures, seed=self.seed) if self.repeat_pairs else (),
        )
        for capture in captures:
            for _ in range(self.repetitions):
                yield PlanEntry(capture, next(legs))

    def leg_counts(self) -> Counter[Lane]:
        """Lane → how many legs."""
        return Counter(leg.lane for entry in self.entries() for leg in entry.legs)


def _ids_sha256(captures: Iterable[Capture]) -> str:
    """The hash of their ids as a JSON array, without ever holding it."""
    digest = hashlib.sha256(b"[")
    for number, capture in enumerate(captures):
        digest.update((b"," if number else b"") + json.dumps(capture.id).encode())
    digest.update(b"]")
    return digest.hexdigest()


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
