"""Requests to the client of the legacy path, and the answers that its tests give it."""

from collections.abc import Awaitable, Callable
from typing import Any

from harness.exchanges import Exchange
from harness.providers.base import Admission, Deadline
from harness.providers.modal import ModalProvider
from harness.speech import SpeechRequest
from tests.harness.providers.stubs import Handler, Till, sends
from tests.virtual_time import VirtualClock

OpenModal = Callable[..., Awaitable[ModalProvider]]
WORST = 183_600  # 600 s of an A10G


async def asked(
    provider: ModalProvider, request: SpeechRequest, admission: Admission | None = None, *, seconds: float = 10.0
) -> Exchange:
    return await provider.synthesize(request, admission=admission or Till(), deadline=Deadline(VirtualClock(), seconds))


def redirect(hops: int, *, last: Handler) -> Handler:
    """303 from one address to the next, `hops` times, then `last`."""

    async def answer(request: Any) -> Any:
        hop = int(request.query.get("hop", 0))
        if hop == hops:
            return await last(request)
        return await sends(b"", 303, location=f"?__modal_function_call_id=fc-1&hop={hop + 1}")(request)

    return answer
