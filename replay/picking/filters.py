"""Which captures are meant at all."""

import hashlib
from collections.abc import Collection, Container
from dataclasses import dataclass
from datetime import datetime

from harness.exchanges import Capture

__all__ = ["Filter", "stable_share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions that all hold; an empty one lets everything through."""

    operations: Collection[str] = ()
    languages: Collection[str] = ()  # "auto" stands for none given
    voice_kinds: Collection[str] = ()
    segments: Collection[str] = ()
    since: datetime | None = None  # the moment itself included
    until: datetime | None = None  # … excluded
    max_chars: int | None = None
    with_consent: bool = False  # a cloned voice only with some consent
    sample: float = 1.0  # share of captures, the same ones for the same seed
    seed: int = 0
    leave_out: Container[str] = ()  # ids

    def matches(self, capture: Capture) -> bool:
        """Whether the capture is meant."""
        request = capture.request
        return (
            _among(request.operation, self.operations)
            and _among(request.language or "auto", self.languages)
            and _among(request.voice.kind, self.voice_kinds)
            and _among(capture.segment or "", self.segments)
            and (self.since is None or capture.captured_at >= self.since)
            and (self.until is None or capture.captured_at < self.until)
            and (self.max_chars is None or len(request.spoken_text) <= self.max_chars)
            and (not self.with_consent or request.voice.kind != "clone" or capture.consent is not None)
            and capture.id not in self.leave_out
            and (self.sample >= 1.0 or stable_share(capture.id, self.seed) < self.sample)
        )


def _among(value: str, wanted: Collection[str]) -> bool:
    return not wanted or value in wanted


def stable_share(capture_id: str, seed: int) -> float:
    """A number from 0 to 1 that depends on id and seed alone, so that a growing file changes no earlier choice."""
    return int.from_bytes(hashlib.sha256(f"sample/{seed}/{capture_id}".encode()).digest()[:8]) / 2**64
