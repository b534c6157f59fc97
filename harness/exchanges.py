"""What was seen in production, and what came back when it was sent to a provider.

All nouns here are immutable; the tables that hold them are described in harness/store/schema.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from harness.errors import ErrorKind
from harness.speech import Operation, SpeechRequest

__all__ = [
    "OK",
    "Capture",
    "Consent",
    "Cost",
    "Exchange",
    "Failure",
    "Lane",
    "Leg",
    "Observed",
    "Speech",
    "Timing",
    "Usage",
]

OK: Final = "ok"  # the outcome that is no failure


class Lane(StrEnum):
    """The part a provider plays in a replay."""

    CONTROL = "control"  # the legacy path
    CANDIDATE = "candidate"  # Qwen
    REPEAT = "repeat"  # the legacy path a second time: its own noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the owner of a reference recording allowed."""

    scope: tuple[str, ...]  # "replay", "clone:qwen", …
    region: str | None
    expires_at: datetime | None
    evidence: str | None  # where the consent is on file


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """How production answered when the request was captured."""

    provider: str
    status: str  # "ok" or an error kind
    first_byte_s: float | None
    total_s: float | None
    audio_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A request seen in production, with when and for whom."""

    id: str
    captured_at: datetime  # UTC
    request: SpeechRequest
    user_key: str | None  # keyed hash of the caller, never the caller
    session: str | None
    segment: str | None
    consent: Consent | None
    observed: Observed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One request on its way down one lane: what a journal counts, and a table has one row for."""

    capture_id: str
    repetition: int  # 0 for the first
    lane: Lane
    position: int  # place in the randomised order of its pair, from 0

    @property
    def key(self) -> str:
        """The leg's name in journals: unique within a run."""
        return f"{self.capture_id}/{self.repetition}/{self.lane}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """Audio as the provider delivered it."""

    audio: bytes
    extension: str  # "wav", "mp3", … by its magic bytes, not by its label
    sample_rate_hz: int | None  # as its header says; None where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no audio."""

    kind: ErrorKind
    code: str | None  # the provider's own code
    detail: str  # one safe sentence: no key, no signed address, no text of the caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long each part took, of the last attempt; all but `service_s` None where not reached."""

    sent_at: datetime  # UTC, when the first attempt began
    service_s: float  # to the provider's last byte, retries and waits between them included; no reader is waited for
    connect_s: float | None = None
    first_byte_s: float | None = None  # of the reply that carries audio or its address
    first_audio_s: float | None = None  # first byte of audio plus its leading silence
    download_s: float | None = None  # fetching audio from the address that was given


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the provider says it did, and what we count ourselves."""

    unit: str  # what `units` counts: "characters", "voices", "gpu_s"
    units: float
    counted_chars: int  # billed characters of the spoken text by our own rule
    reported_chars: int | None = None
    voices: int = 0
    gpu_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Money, in whole micro-dollars; None means unknown, never free."""

    microusd: int | None
    basis: str  # how it was found: "reported characters x price 2026-06", "worst case", …


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request sent to one provider and what became of it, all attempts together."""

    provider: str  # "qwen" or "modal"
    model: str | None
    region: str | None
    operation: Operation
    result: Speech | Failure
    timing: Timing
    usage: Usage
    cost: Cost
    attempts: int
    provider_request_id: str | None = None
    cold: bool | None = None  # a cold start was part of it; None: cannot be told
    redirect_hops: int = 0
    voice_id: str | None = None  # the provider's own name of the voice used or made
    facts: Mapping[str, object] = field(default_factory=dict)  # what else is worth keeping, JSON

    @property
    def outcome(self) -> str:
        """`ok`, or the kind of its failure."""
        return OK if isinstance(self.result, Speech) else self.result.kind.value
