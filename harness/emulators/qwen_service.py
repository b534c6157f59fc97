"""What every endpoint of the Qwen stand-in works with, and how the scenario makes its calls late or fail."""

from dataclasses import dataclass
from typing import NoReturn

from aiohttp import web

from harness.clock import Clock
from harness.emulators.account import Account
from harness.emulators.calls import Call, Calls
from harness.emulators.knobs import PLAIN, Knobs
from harness.emulators.latency import QWEN_FIRST_PIECE, QWEN_SPEECH, Latency, stall_s
from harness.emulators.options import QwenOptions
from harness.emulators.quota import Excess, Quota
from harness.emulators.qwen_wire import Refusal
from harness.emulators.scenarios import Conduct, Fault
from harness.emulators.sites import break_connection, leave_hanging
from harness.emulators.studio import Studio

__all__ = ["Service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One running stand-in."""

    options: QwenOptions
    conduct: Conduct
    calls: Calls
    quota: Quota
    account: Account
    studio: Studio
    clock: Clock
    knobs: Knobs = PLAIN

    async def take_time(self, call: Call, latency: Latency, *, chars: int, since_s: float) -> None:
        """Wait until the real service would be done with a call that came in at `since_s`."""
        due_s = since_s + self._service_s(call, latency, chars) * self.options.time_scale
        await self.clock.sleep(due_s - self.clock.monotonic())

    def schedule_s(self, call: Call, count: int, *, chars: int, since_s: float) -> list[float]:
        """When each of `count` pieces of a stream is due: the last when the whole would be, the others evenly."""
        whole_s = self._service_s(call, QWEN_SPEECH, chars)
        first_s = min(whole_s, QWEN_FIRST_PIECE.draw_s(chars, call.random("first piece")))
        step_s = (whole_s - first_s) / max(1, count - 1)
        return [since_s + (first_s + number * step_s) * self.options.time_scale for number in range(count)]

    def admit(self, model: str) -> None:
        """Count a request against the quota.

        Raises:
            Refusal: It is one too many.
        """
        match self.quota.excess(model):
            case Excess.RATE:
                raise Refusal(429, Excess.RATE, "Requests rate limit exceeded, please try again later.")
            case Excess.BURST:
                message = (
                    "Request rate increased too quickly. To ensure system stability, please adjust your client logic"
                    " to scale requests more smoothly over time."
                )
                raise Refusal(429, Excess.BURST, message)

    def _service_s(self, call: Call, latency: Latency, chars: int) -> float:
        random = call.random("latency")
        return stall_s(chars, random) if self.conduct.stalls(call) else latency.draw_s(chars, random)

    def refuse_if_down(self, fault: Fault | None) -> None:
        """Fail before any work is done.

        Raises:
            Refusal: The fault is one of those.
        """
        if fault is Fault.INTERNAL_ERROR:
            # "occured" is the service's own spelling.
            raise Refusal(500, "InternalError", "An internal error has occured, please try again later.")
        if fault is Fault.UNAVAILABLE:
            raise Refusal(503, "ModelUnavailable", "Model is unavailable, please try again later.")

    async def lose_reply(self, request: web.Request, fault: Fault) -> NoReturn:
        """Let the caller guess whether the work, done and billed by now, was ever begun."""
        if fault is Fault.RESET:
            await break_connection(request)
        await leave_hanging()
