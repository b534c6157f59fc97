"""Asking the legacy path how it is; seldom, since the question can start a GPU, which is billed (providers.md B4)."""

import json
from typing import NamedTuple

from yarl import URL

from harness.clock import Clock
from harness.exchanges import Failure
from harness.providers.base import Deadline
from harness.providers.codes import modal_failure
from harness.providers.door import Door
from harness.providers.reply import Fault, Reply

__all__ = ["Health", "HealthCheck"]


class Health(NamedTuple):
    """What the deployment says of itself."""

    model: str | None
    gpu: str | None
    took_s: float  # much more than usual means that a container had to be started


class HealthCheck:
    """One deployment's health, at most once in a while; in between the last answer stands."""

    def __init__(self, door: Door, url: URL | Failure, *, every_s: float, clock: Clock) -> None:
        self._door = door
        self._url = url
        self._every_s = every_s
        self._clock = clock
        self._asked_s: float | None = None
        self._last: Health | Failure | None = None

    async def ask(self, deadline: Deadline) -> Health | Failure:
        """How it is now, or was when last asked."""
        if isinstance(self._url, Failure):
            return self._url
        now_s = self._clock.monotonic()
        if self._last is None or self._asked_s is None or now_s - self._asked_s >= self._every_s:
            self._asked_s = now_s
            reply = await self._door.send("GET", self._url, keyed=True, deadline=deadline)
            self._last = reply.failure if isinstance(reply, Fault) else _health(reply)
        return self._last


def _health(reply: Reply) -> Health | Failure:
    if reply.status != 200:
        return modal_failure(reply.status, reply.body[:300].decode(errors="replace"), None)
    try:
        content = json.loads(reply.body)
    except ValueError:
        content = None  # vLLM answers with nothing but the status
    told = content if isinstance(content, dict) else {}
    model, gpu = told.get("model"), told.get("gpu")
    return Health(
        model=model if isinstance(model, str) else None,
        gpu=gpu if isinstance(gpu, str) else None,
        took_s=reply.total_s,
    )
