"""A gateway as a drill meets it: over HTTP, as a caller of its own."""

import json
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from yarl import URL

from harness.clock import Clock
from harness.providers.addresses import Addresses, base_url
from harness.providers.base import Deadline
from harness.providers.door import Door, Fault, Limits
from harness.rollout.drilling import Spoken

__all__ = ["HttpTarget"]

_DEADLINE_S: Final = 20.0
_MAX_BYTES: Final = 16 * 1024 * 1024
_WORDS: Final = {"input": "This is a drill.", "language": "en", "response_format": "wav"}


class HttpTarget:
    """Use with `async with`."""

    def __init__(self, url: str, key: str, *, voice: str, allow_hosts: Iterable[str], clock: Clock) -> None:
        """Speak to the gateway at `url` with an API key of it, in a voice that both providers know.

        Raises:
            ConfigError: `url` is no address that may be reached.
        """
        allowed = frozenset(allow_hosts)
        self._url = base_url(url, "--url", allowed)
        self._clock = clock
        self._body = json.dumps({**_WORDS, "voice": voice}).encode()
        self._door = Door(
            origin=self._url.origin(),
            addresses=Addresses(origin=self._url.origin(), hosts=None, allow_hosts=allowed),
            secrets={"Authorization": f"Bearer {key}"},
            limits=Limits(connect_timeout_s=2.0, read_timeout_s=_DEADLINE_S, max_reply_bytes=_MAX_BYTES),
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        await self._door.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._door.__aexit__(kind, error, trace)

    async def speak(self) -> Spoken:
        """Ask for a few words; never raises."""
        sent_s = self._clock.monotonic()
        reply = await self._door.send(
            "POST",
            self._url / "v1/audio/speech",
            deadline=Deadline(self._clock, _DEADLINE_S),
            body=self._body,
            keyed=True,
        )
        if isinstance(reply, Fault):
            return Spoken(sent_s=sent_s, status=0, provider=None)
        return Spoken(sent_s=sent_s, status=reply.status, provider=reply.headers.get("x-provider"))

    async def is_ready(self) -> bool:
        """Whether the gateway says that it can serve."""
        reply = await self._door.send("GET", URL(self._url) / "readyz", deadline=Deadline(self._clock, 2.0))
        return not isinstance(reply, Fault) and reply.status == 200
