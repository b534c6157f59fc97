"""The public keys of a token issuer, fetched through the guarded door and kept while the issuer is away.

A request never waits for the issuer: a token with an unknown key id is refused, and the keys are fetched soon after.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from yarl import URL

from harness.clock import Clock
from harness.providers.addresses import Addresses, base_url
from harness.providers.base import Deadline
from harness.providers.door import Door, Fault, Limits

__all__ = ["Jwks"]

log = logging.getLogger(__name__)

_EVERY_S: Final = 300.0
_SOONEST_S: Final = 10.0  # tokens with invented key ids must not make us flood the issuer
_KEEP_S: Final = 86_400.0  # an issuer that is away for a day has other troubles; a key it withdrew must end some time
_LOOK_S: Final = 0.5
_FETCH_S: Final = 5.0
_MAX_BYTES: Final = 256 * 1024
_MIN_RSA_BITS: Final = 2048


class Jwks:
    """The keys by their id, for as long as `kept()` is open."""

    def __init__(self, url: str, *, allow_hosts: Iterable[str], clock: Clock) -> None:
        """Prepare; nothing is fetched yet.

        Raises:
            ConfigError: `url` is no address that may be reached.
        """
        allowed = frozenset(allow_hosts)
        self._url = base_url(url, "CUTOVER_GATEWAY__JWT_JWKS_URL", allowed)
        self._addresses = Addresses(origin=self._url.origin(), hosts=None, allow_hosts=allowed)
        self._clock = clock
        self._keys: dict[str | None, RSAPublicKey] = {}
        self._fetched_s = self._tried_s = -float("inf")
        self._wanted = False

    def find(self, key_id: str | None) -> RSAPublicKey | None:
        """The key of this id; None when it is not known, and then the keys are fetched again soon."""
        if self._clock.monotonic() - self._fetched_s > _KEEP_S:
            self._keys = {}
        key = self._keys.get(key_id)
        self._wanted |= key is None
        return key

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Fetch the keys now, and again and again until the end of the block."""
        limits = Limits(connect_timeout_s=_FETCH_S, read_timeout_s=_FETCH_S, max_reply_bytes=_MAX_BYTES)
        door = Door(origin=self._url.origin(), addresses=self._addresses, secrets={}, limits=limits, clock=self._clock)
        async with door, asyncio.TaskGroup() as group:
            await self._fetch(door)
            keeper = group.create_task(self._keep(door))
            try:
                yield
            finally:
                keeper.cancel()

    async def _keep(self, door: Door) -> None:
        while True:
            await self._clock.sleep(_LOOK_S)
            age_s = self._clock.monotonic() - self._tried_s
            if age_s >= _EVERY_S or (self._wanted and age_s >= _SOONEST_S):
                await self._fetch(door)

    async def _fetch(self, door: Door) -> None:
        self._wanted = False
        self._tried_s = self._clock.monotonic()
        reply = await door.send("GET", URL(self._url), deadline=Deadline(self._clock, _FETCH_S))
        if isinstance(reply, Fault) or reply.status != 200:
            what = reply.kind if isinstance(reply, Fault) else f"HTTP {reply.status}"
            log.warning("token keys not fetched, the last ones stay", extra={"host": self._url.host, "why": what})
            return
        try:
            self._keys = _rsa_keys(reply.body)
        except (ValueError, TypeError, KeyError, RecursionError):
            log.warning("token keys not readable, the last ones stay", extra={"host": self._url.host})
            return
        self._fetched_s = self._clock.monotonic()


def _rsa_keys(body: bytes) -> dict[str | None, RSAPublicKey]:
    """The keys that may sign RS256; keys for anything else are passed over."""
    keys: dict[str | None, RSAPublicKey] = {}
    for entry in json.loads(body)["keys"]:
        if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256":
            continue
        try:
            key = jwt.PyJWK.from_dict(entry, algorithm="RS256").key
        except jwt.PyJWTError:
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= _MIN_RSA_BITS:
            keys[entry.get("kid")] = key
    return keys
