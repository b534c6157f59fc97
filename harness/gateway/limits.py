"""What one caller may ask for, so that nobody uses up what all share: more is answered 429, with when to come again.

Requests and billed characters are token buckets that hold one minute, requests under way are counted, and voices are
counted in the voice book, which outlives a restart and is shared by all processes. Buckets are of one process: of
several, each gives out its part.
"""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from harness.clock import Clock
from harness.gateway.callers import Caller
from harness.gateway.refusals import Refused

__all__ = ["Limits", "VoicesMade"]

_MINUTE_S: Final = 60.0
_DAY: Final = timedelta(days=1)
_NOW_S: Final = 1e-6  # what sums of floats leave over
_BUSY_RETRY_S: Final = 1.0  # a request under way ends some time soon, and nobody knows when


class VoicesMade(Protocol):
    """Knows when a caller made voices; the voice book does."""

    def made_since(self, caller_key: str, since: datetime) -> Sequence[datetime]:
        """When this caller made voices after `since`, oldest first, deleted ones too."""
        ...


@dataclass(slots=True)
class _Bucket:
    """Refills evenly; a draw larger than the whole bucket empties it and is paid off before the next."""

    capacity: float
    left: float
    at_s: float

    def wait_s(self, amount: float, now_s: float) -> float:
        """Seconds until `amount` can be drawn; 0.0 when it can now."""
        self.left = min(self.capacity, self.left + (now_s - self.at_s) * self.capacity / _MINUTE_S)
        self.at_s = now_s
        return max(0.0, min(amount, self.capacity) - self.left) * _MINUTE_S / self.capacity


@dataclass(slots=True)
class _Account:
    requests: _Bucket
    chars: _Bucket
    used_s: float
    under_way: int = 0
    voices_under_way: deque[datetime] = field(default_factory=deque)


class Limits:
    """One for each process."""

    def __init__(self, *, clock: Clock, voices: VoicesMade, processes: int = 1) -> None:
        """Nobody has asked for anything yet.

        Args:
            clock: Refills the buckets.
            voices: The voices that were made, by all processes.
            processes: How many share a caller's requests.
        """
        self._clock = clock
        self._voices = voices
        self._processes = processes
        self._accounts: OrderedDict[str, _Account] = OrderedDict()  # by caller, the one longest unused first

    @asynccontextmanager
    async def take(self, caller: Caller, *, chars: int, voices: int = 0) -> AsyncIterator[None]:
        """Count one request until the end of the block; a refused one counts for nothing.

        Args:
            caller: Who asks.
            chars: Billed characters.
            voices: How many voices it would make.

        Raises:
            Refused: 429, with the seconds until there is room again.
        """
        account = self._account(caller)
        self._check(caller, account, chars, voices)
        account.requests.left -= 1
        account.chars.left -= chars
        account.under_way += 1
        making = [self._clock.now()] * voices
        account.voices_under_way.extend(making)
        try:
            yield
        finally:
            account.under_way -= 1
            for moment in making:
                account.voices_under_way.remove(moment)

    def _check(self, caller: Caller, account: _Account, chars: int, voices: int) -> None:
        limits, now_s = caller.limits, self._clock.monotonic()
        if account.under_way >= max(1, limits.concurrency // self._processes):
            raise _refused("too_many_at_once", f"{account.under_way} requests are under way", _BUSY_RETRY_S)
        requests_s, chars_s = account.requests.wait_s(1, now_s), account.chars.wait_s(chars, now_s)
        if max(requests_s, chars_s) > _NOW_S:
            # The longer of the two, so that whoever waits as long as was said gets in.
            code, amount, what = (
                ("too_many_requests", limits.requests_per_minute, "requests")
                if requests_s >= chars_s
                else ("too_many_characters", limits.chars_per_minute, "billed characters")
            )
            raise _refused(code, f"{amount:g} {what} a minute are used up", max(requests_s, chars_s))
        if voices:
            self._check_voices(caller, account, voices)

    def _check_voices(self, caller: Caller, account: _Account, voices: int) -> None:
        """At most so many in any 24 hours."""
        now = self._clock.now()
        made = [*self._voices.made_since(caller.key, now - _DAY), *account.voices_under_way]
        over = len(made) + voices - int(caller.limits.voices_per_day)
        if over > 0:
            oldest = made[over - 1] if over <= len(made) else now  # more than a day's in one go never fits
            wait_s = (oldest + _DAY - now).total_seconds()
            said = f"{caller.limits.voices_per_day:g} new voices a day are used up"
            raise _refused("too_many_voices", said, max(_BUSY_RETRY_S, wait_s))

    def _account(self, caller: Caller) -> _Account:
        now_s = self._clock.monotonic()
        self._forget_idle(now_s)
        requests = caller.limits.requests_per_minute / self._processes
        chars = caller.limits.chars_per_minute / self._processes
        account = self._accounts.get(caller.key)
        if account is None:
            fresh = _Bucket(max(1.0, requests), max(1.0, requests), now_s), _Bucket(chars, chars, now_s)
            account = self._accounts[caller.key] = _Account(*fresh, used_s=now_s)
        # A file of callers may change a limit at any time.
        account.requests.capacity, account.chars.capacity = max(1.0, requests), chars
        account.used_s = now_s
        self._accounts.move_to_end(caller.key)
        return account

    def _forget_idle(self, now_s: float) -> None:
        """Drop accounts that say nothing any more: whoever asks again finds the same full buckets."""
        while self._accounts:
            key, account = next(iter(self._accounts.items()))
            in_debt = min(account.requests.left, account.chars.left) < 0
            if account.under_way or in_debt or now_s - account.used_s < _MINUTE_S:
                return
            del self._accounts[key]


def _refused(code: str, said: str, wait_s: float) -> Refused:
    return Refused(429, code, f"{said}; try again after the time in Retry-After", retry_after_s=wait_s)
