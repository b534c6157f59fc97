"""Whether to try again, and how long to wait first. Decides only; the loop in attempts.py does the waiting."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final, NamedTuple

from harness.errors import KINDS, Charge, ErrorKind
from harness.exchanges import Failure
from harness.providers.retry_budget import RetryBudget

__all__ = ["NO_ADVICE", "Advice", "RetryPolicy", "advice_in", "retry_after_s"]

# A call that costs nothing may be repeated whatever went wrong, but for what will be the same the next time.
_SAME_AGAIN: Final = frozenset({ErrorKind.TOO_LARGE, ErrorKind.TLS, ErrorKind.TIMEOUT_TOTAL})
# What a provider may ask us to try again that we would not by ourselves: a 409 or 425 of some gateway, which no code
# explains. Never what a person has to mend, such as a key or a bill.
_OPEN_TO_ADVICE: Final = frozenset({ErrorKind.BAD_REQUEST})
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


class Advice(NamedTuple):
    """What the provider itself says about another attempt; no source shows that either does (providers.md A7)."""

    after_s: float | None = None  # when it wants to hear from us again
    wanted: bool | None = None  # whether it wants to at all


NO_ADVICE: Final = Advice()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Full jitter that doubles with every attempt, unless the provider names a time itself."""

    max_attempts: int
    base_s: float = 0.5  # the DashScope SDK's own first step (providers.md A7)
    throttled_base_s: float = 4.0  # quotas are counted by the minute, so half a second would not do
    cap_s: float = 60.0
    random: Random = field(default_factory=Random)
    budget: RetryBudget = field(default_factory=RetryBudget)  # of all requests that share this policy

    def wait_s(
        self,
        failure: Failure,
        *,
        attempt: int,
        left_s: float,
        advice: Advice = NO_ADVICE,
        sent: bool = True,
        creation: bool = False,
    ) -> float | None:
        """Seconds until the next attempt; None to give up.

        Args:
            failure: What the last attempt ended with.
            attempt: How many attempts were made, from 1.
            left_s: What the deadline still allows; a wait that would outlive it is not begun.
            advice: The provider's own.
            sent: Whether the request may have reached the provider.
            creation: It makes something that is billed and kept, and no idempotency key exists: repeated only
                when the last attempt surely made nothing (providers.md A7).
        """
        facts = KINDS[failure.kind]
        can_help = facts.retriable or (advice.wanted is True and failure.kind in _OPEN_TO_ADVICE)
        if not can_help or advice.wanted is False or (creation and sent and facts.charge is Charge.WORST):
            return None
        return self._pause_s(failure.kind, attempt, left_s, advice.after_s)

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


def advice_in(headers: Mapping[str, str], now: datetime) -> Advice:
    """What a reply advises, by `X-Should-Retry` and the headers of `retry_after_s`."""
    wanted = {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())
    return Advice(after_s=retry_after_s(headers, now), wanted=wanted)


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
    # float() would take more than any header says: "1_0", "infinity", digits of every script.
    match = _NUMBER.fullmatch(value.strip()) if value is not None else None
    return float(match[0]) if match else None


def _until(value: str | None, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" gives a naive one
    seconds = (moment - now).total_seconds()
    return seconds if seconds >= 0 else None
