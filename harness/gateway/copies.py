"""What the live path hands over once a caller has the answer: what was asked, who answered, and who gets a copy.

And what becomes of such copies, counted.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from harness.exchanges import Capture, Consent, Exchange, Lane, Speech
from harness.speech import SpeechRequest

__all__ = ["Copies", "Copy", "RunKind", "ShadowCounts"]

log = logging.getLogger(__name__)

RunKind = str  # "shadow" or "canary": the kind of run that the exchanges go to


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One answered request."""

    request_id: str
    arrived_at: datetime  # UTC
    request: SpeechRequest  # with all that the other provider needs to speak the voice
    caller_key: str | None  # keyed hash
    consent: Consent | None  # to use the voice's recording
    exchanges: Mapping[Lane, Exchange]  # what was made for the caller; both lanes after a fallback
    to: Lane | None  # who gets a copy; None: the exchanges are only written down
    # Called once when the copy was taken: with what became of it, or with None when it was never sent. A probe's permit
    # goes back to its breaker this way; for most copies nobody waits.
    done: Callable[[Exchange | None], None] | None = None

    @property
    def kind(self) -> RunKind:
        """`canary` when Qwen was to answer the caller, else `shadow`."""
        return "canary" if Lane.CANDIDATE in self.exchanges else "shadow"

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """All lanes that have or get an exchange, in their order."""
        made = tuple(self.exchanges)
        return (*made, self.to) if self.to is not None and self.to not in made else made

    @property
    def size_bytes(self) -> int:
        """About what it holds in memory."""
        audio = (each.result.audio for each in self.exchanges.values() if isinstance(each.result, Speech))
        return sum(map(len, audio)) + 4 * len(self.request.text)

    def tell(self, exchange: Exchange | None) -> None:
        """Hand the outcome to whoever waits for it; the callback is the live path's, and its fault harms nobody."""
        if self.done is None:
            return
        try:
            self.done(exchange)
        except Exception:
            log.exception("copy's outcome not taken")

    def capture(self) -> Capture:
        """The request as a run holds it."""
        return Capture(
            id=self.request_id,
            captured_at=self.arrived_at,
            request=self.request,
            user_key=self.caller_key,
            session=None,
            segment=None,
            consent=self.consent,
            observed=None,
        )


class Copies(Protocol):
    """Takes copies of what callers were answered: a `Shadow`, or a process that has one."""

    @property
    def counts(self) -> "ShadowCounts":
        """What became of them so far."""
        ...

    @property
    def waiting(self) -> int:
        """Those that nobody works on yet."""
        ...

    @property
    def spent_microusd(self) -> int:
        """What they cost today."""
        ...

    def __contains__(self, lane: Lane | None) -> bool:
        """Whether they can go to this lane."""
        ...

    def offer(self, copy: Copy) -> bool:
        """Take one if there is room, and say whether it was; never waits and never raises."""
        ...

    def note_throttled(self, lane: Lane) -> None:
        """Take note that a caller's own call to this lane was answered 429."""
        ...


@dataclass(slots=True)
class ShadowCounts:
    """What became of the copies: offered = thinned + dropped + kept + lost + those that wait or are under way."""

    offered: int = 0
    thinned: int = 0  # more came than are wanted
    dropped: int = 0  # the queue was full
    kept: int = 0  # exchanges are in a run
    lost: int = 0  # they could not be written
    sent: int = 0  # copies that a provider got
    failed: int = 0  # … and answered without speech
    withheld: int = 0  # copies that did not go out: no consent, no money, switched off
    voiceless: int = 0  # … of these, for want of a voice that nobody has made at the provider yet

    def plus(self, other: "ShadowCounts") -> "ShadowCounts":
        """Both together."""
        return ShadowCounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))
