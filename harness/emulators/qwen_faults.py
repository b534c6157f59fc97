"""How a call at the Qwen stand-in ends when the scenario makes it fail (providers.md A7)."""

from typing import NoReturn

from aiohttp import web

from harness.emulators.qwen_wire import Refusal
from harness.emulators.scenarios import Fault
from harness.emulators.sites import break_connection, leave_hanging

__all__ = ["fail"]


async def fail(request: web.Request, fault: Fault) -> NoReturn:
    """End the call that way.

    Raises:
        Refusal: The service answers with an error.
    """
    match fault:
        case Fault.INTERNAL_ERROR:
            # "occured" is the service's own spelling.
            raise Refusal(500, "InternalError", "An internal error has occured, please try again later.")
        case Fault.UNAVAILABLE:
            raise Refusal(503, "ModelUnavailable", "Model is unavailable, please try again later.")
        case Fault.RESET:
            await break_connection(request)
        case Fault.HANG:
            await leave_hanging()
