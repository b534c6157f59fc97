"""What one request sends to a provider: each paid call admitted, tried again where that helps, and settled.

Knows money, waiting and counting; what is sent and what the answer means is the provider's business.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from harness.clock import Clock
from harness.errors import KINDS, Charge, ErrorKind, NotAdmitted
from harness.exchanges import Cost, Failure
from harness.providers.base import Admission, Deadline, PaidCall, Purpose
from harness.providers.retry import NO_ADVICE, Advice, RetryPolicy

__all__ = ["Answer", "Attempts"]

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """What one call came to."""

    result: T | Failure
    sent: bool = True  # the request may have reached the provider
    heard: bool = False  # a listener had part of the audio already: another attempt would say it twice
    began: bool = False  # the work surely began, so that a failure that costs nothing on its own is not free
    microusd: int | None = None  # exact cost where the reply tells; None: by the kind of failure
    basis: str = ""  # how that cost was found
    advice: Advice = NO_ADVICE  # the provider's own on whether and when to try again
    request_id: str | None = None  # the provider's own, of a failure above all


Send = Callable[[], Awaitable[Answer[T]]]


@dataclass(frozen=True, slots=True)
class _Bill:
    worst: int | None
    exact: int | None
    basis: str


class Attempts:
    """The calls of one request so far."""

    def __init__(
        self, provider: str, *, admission: Admission, deadline: Deadline, policy: RetryPolicy, clock: Clock
    ) -> None:
        self.count = 0  # paid calls that were sent
        self.failed: list[str] = []  # kinds of the attempts that were not the last
        self.unsettled = 0  # paid calls whose cost is not known, only its bound
        self.retries_refused = False  # a retry could have helped, and too many were under way already
        self.request_id: str | None = None  # of the last paid call that was answered
        self._provider = provider
        self._admission = admission
        self._deadline = deadline
        self._policy = policy
        self._clock = clock
        self._bills: list[_Bill] = []
        self._began = clock.now(), clock.monotonic()
        self._ended_s = self._began[1]

    @property
    def sent_at(self) -> datetime:
        """When the first attempt began; when the request was handed in, if none did."""
        return self._began[0]

    @property
    def service_s(self) -> float:
        """From the first attempt's start to the end of the last call."""
        return self._ended_s - self._began[1]

    async def pay(
        self, purpose: Purpose, send: Send[T], *, worst_microusd: int | None, creation: bool = False
    ) -> T | Failure:
        """The result of a paid call, tried again as the policy allows.

        Args:
            purpose: What is paid for.
            send: Makes one attempt.
            worst_microusd: The most one attempt can cost.
            creation: It makes something that is kept; see `RetryPolicy`.
        """
        attempt = 0
        failure: Failure | None = None
        while True:
            call = PaidCall(
                provider=self._provider, purpose=purpose, attempt=self.count + 1, worst_microusd=worst_microusd
            )
            refused = await self._admit(call)
            if refused is not None:
                return failure or refused  # a retry that may not go out leaves the outcome as it was
            attempt += 1
            if attempt == 1:
                self._policy.budget.earn()
            answer = await self._attempt(call, send)
            if not isinstance(answer.result, Failure):
                return answer.result
            failure = answer.result
            if answer.heard:
                return failure
            wait_s = self._policy.wait_s(
                failure,
                attempt=attempt,
                left_s=self._deadline.left_s(),
                advice=answer.advice,
                sent=answer.sent,
                creation=creation,
            )
            if wait_s is None:
                return failure
            if not self._policy.budget.spend():
                self.retries_refused = True
                log.warning("no retry: the provider's budget of retries is used up", extra={"provider": self._provider})
                return failure
            self.failed.append(failure.kind.value)
            await self._clock.sleep(wait_s)

    async def fetch(self, send: Send[T]) -> T | Failure:
        """The result of a call that is free, so that it may be repeated."""
        attempt = 0
        while True:
            answer = await send()
            self._ended_s = self._clock.monotonic()
            attempt += 1
            if not isinstance(answer.result, Failure):
                return answer.result
            self._log(answer.result, "fetch", attempt)
            if answer.heard:
                return answer.result
            wait_s = self._policy.free_wait_s(answer.result, attempt=attempt, left_s=self._deadline.left_s())
            if wait_s is None:
                return answer.result
            await self._clock.sleep(wait_s)

    def cost(self, price_version: str) -> Cost:
        """What all paid calls cost together; a call that was not settled counts with its worst."""
        amounts = [bill.worst if bill.exact is None else bill.exact for bill in self._bills]
        if not amounts:
            return Cost(microusd=0, basis="nothing was sent")
        bases = dict.fromkeys(bill.basis if bill.exact is not None else "worst case" for bill in self._bills)
        basis = f"{', '.join(bases)}; prices {price_version[:12]}"
        known = [amount for amount in amounts if amount is not None]
        if len(known) < len(amounts):
            return Cost(microusd=None, basis="unknown price")
        return Cost(microusd=sum(known), basis=basis)

    async def _admit(self, call: PaidCall) -> Failure | None:
        """Why the call may not go out; None once it may."""
        try:
            async with asyncio.timeout(self._deadline.left_s()):
                await self._admission.admit(call)
        except NotAdmitted as refused:
            return Failure(kind=refused.kind, code=None, detail=str(refused))
        except TimeoutError:
            # Nothing was sent: it is our own quota that had no room, not a provider that was slow.
            return Failure(kind=ErrorKind.RATE_LIMITED, code="local.quota", detail="no room in our own quota in time")
        if not self._bills:
            self._began = self._clock.now(), self._clock.monotonic()
        return None

    async def _attempt(self, call: PaidCall, send: Send[T]) -> Answer[T]:
        """Send an admitted call and settle it, whatever happens."""
        self.count += 1
        try:
            answer = await send()
        except BaseException:  # cancelled, or our own fault: it may have been billed
            self._settle(call, None, "")
            raise
        finally:
            self._ended_s = self._clock.monotonic()
        self.request_id = answer.request_id or self.request_id
        self._settle(call, *_charge(answer))
        if isinstance(answer.result, Failure):
            self._log(answer.result, call.purpose, call.attempt)
        return answer

    def _settle(self, call: PaidCall, microusd: int | None, basis: str) -> None:
        self._bills.append(_Bill(call.worst_microusd, microusd, basis))
        self.unsettled += microusd is None
        self._admission.settle(call, microusd)

    def _log(self, failure: Failure, purpose: str, attempt: int) -> None:
        fields = {"provider": self._provider, "purpose": purpose, "attempt": attempt}
        log.warning("provider call failed", extra=fields | {"kind": failure.kind.value, "code": failure.code})


def _charge(answer: Answer[T]) -> tuple[int | None, str]:
    """What an attempt is booked at, and on what basis."""
    if answer.microusd is not None:
        return answer.microusd, answer.basis
    if answer.began or answer.heard or not isinstance(answer.result, Failure):
        return None, ""
    unbilled = not answer.sent or KINDS[answer.result.kind].charge is Charge.NOTHING
    return (0, "not billed") if unbilled else (None, "")
