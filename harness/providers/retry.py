"""Whether to try again, and how long to wait first. Decides only; the loop in attempts.py does the waiting."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

from harness.errors import KINDS, Charge, ErrorKind
from harness.exchanges import Failure

__all__ = ["RetryPolicy", "retry_after_s"]

# A call that costs nothing may be repeated whatever went wrong, but for what will be the same the next time.
_SAME_AGAIN: Final = frozenset({ErrorKind.TOO_LARGE, ErrorKind.TLS, ErrorKind.TIMEOUT_TOTAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Full jitter that doubles with every attempt, unless the provider names a time itself."""

    max_attempts: int
    base_s: float = 0.5  # the DashScope SDK's own first step (providers.md A7)
    throttled_base_s: float = 4.0  # quotas are counted by the minute, so half a second would not do
    cap_s: float = 60.0
    random: Random = field(default_factory=Random)

    def wait_s(
        self,
        failure: Failure,
        *,
        attempt: int,
        left_s: float,
        retry_after_s: float | None = None,
        sent: bool = True,
        creation: bool = False,
    ) -> float | None:
        """Seconds until the next attempt; None to give up.

        Args:
            failure: What the last attempt ended with.
            attempt: How many attempts were made, from 1.
            left_s: What the deadline still allows; a wait that would outlive it is not begun.
            retry_after_s: When the provider wants to hear from us again.
            sent: Whether the request may have reached the provider.
            creation: It makes something that is billed and kept, and no idempotency key exists: repeated only
                when the last attempt surely made nothing (providers.md A7).
        """
        facts = KINDS[failure.kind]
        if not facts.retriable or (creation and sent and facts.charge is Charge.WORST):
            return None
        return self._pause_s(failure.kind, attempt, left_s, retry_after_s)

    def free_wait_s(self, failure: Failure, *, attempt: int, left_s: float) -> float | None:
        """The same for a call that is not billed, such as fetching audio that is paid for."""
        return None if failure.kind in _SAME_AGAIN else self._pause_s(failure.kind, attempt, left_s, None)

    def _pause_s(self, kind: ErrorKind, attempt: int, left_s: float, retry_after_s: float | None) -> float | None:
        if attempt >= self.max_attempts:
            return None
        if retry_after_s is not None:
            # Asked to stay away for longer than we would ever wait: going back early only makes it worse.
            pause_s = math.inf if retry_after_s > self.cap_s else retry_after_s + self.random.uniform(0, self.base_s)
        else:
            base_s = self.throttled_base_s if kind is ErrorKind.RATE_LIMITED else self.base_s
            pause_s = self.random.uniform(0, min(self.cap_s, base_s * 2 ** (attempt - 1)))
        return pause_s if pause_s < left_s else None


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date) asks for.

    Args:
        headers: The reply's, looked up by lower-case name.
        now: The wall clock, for dates.

    Returns:
        None without a usable value: missing, negative, not finite, in the past, or no number at all.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None else _until(value, now)


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(value: str | None, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" gives a naive one
    seconds = (moment - now).total_seconds()
    return seconds if seconds >= 0 else None
