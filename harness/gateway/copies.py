"""What the live path hands over once a caller has the answer: what was asked, who answered, and who gets a copy.

And what becomes of such copies, counted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from harness.exchanges import Capture, Consent, Exchange, Lane, Speech
from harness.speech import SpeechRequest

__all__ = ["Copy", "RunKind", "ShadowCounts"]

RunKind = str  # "shadow" or "canary": the kind of run that the exchanges go to


def _nothing(_: Exchange | None) -> None:
    """Nobody waits for the outcome."""


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
    # Called once for every copy that was taken: with what became of it, or with None when it was never sent. A probe's
    # permit goes back to its breaker this way.
    done: Callable[[Exchange | None], None] = field(default=_nothing)

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


@dataclass(slots=True)
class ShadowCounts:
    """What became of the copies: offered = dropped + kept + lost + those that wait or are under way."""

    offered: int = 0
    dropped: int = 0  # the queue was full
    kept: int = 0  # exchanges are in a run
    lost: int = 0  # they could not be written
    sent: int = 0  # copies that a provider got
    failed: int = 0  # … and answered without speech
    withheld: int = 0  # copies that did not go out: no consent, no money, switched off
    voiceless: int = 0  # … of these, for want of a voice that nobody has made at the provider yet
