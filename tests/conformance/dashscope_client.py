"""The provider's own SDK, pointed at a stand-in: it is synchronous, so it speaks from a thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import dashscope
from dashscope.audio.qwen_tts_realtime import QwenTtsRealtime, QwenTtsRealtimeCallback

from tests.canaries import QWEN_KEY

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    async with asyncio.timeout(60):
        return await asyncio.to_thread(work)


@contextmanager
def client(base_url: str, *, api_key: str = QWEN_KEY, max_retries: int = 0) -> Iterator[Any]:
    """Version 2 of the SDK."""
    sdk = dashscope.Client(api_key=api_key, base_url=base_url + "/api/v1", max_retries=max_retries)
    try:
        yield sdk
    finally:
        sdk.close()


@contextmanager
def first_version(base_url: str, *, api_key: str = QWEN_KEY) -> Iterator[Any]:
    """Version 1 of the SDK, whose address and key are globals of its module."""
    before = dashscope.base_http_api_url, dashscope.api_key
    dashscope.base_http_api_url, dashscope.api_key = base_url + "/api/v1", api_key
    try:
        yield dashscope
    finally:
        dashscope.base_http_api_url, dashscope.api_key = before


class Listener(QwenTtsRealtimeCallback):
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.is_closed = threading.Event()

    def on_event(self, message: Any) -> None:
        self.events.append(message)

    def on_close(self, close_status_code: int, close_msg: str) -> None:
        self.is_closed.set()


def realtime(base_url: str, talk: Callable[[Any], None], *, model: str = "qwen3-tts-flash-realtime") -> list[Any]:
    """The events of one session in which the client says what `talk` has it say."""
    listener = Listener()
    address = base_url.replace("http", "ws") + "/api-ws/v1/realtime"
    with first_version(base_url):
        session = QwenTtsRealtime(model=model, callback=listener, url=address)
        session.connect()
        # websocket-client, which the SDK speaks through, leaves a socket open that the server closed.
        with closing(session.ws.sock.sock):
            talk(session)
            assert listener.is_closed.wait(10)
            session.thread.join(5)
    return listener.events
