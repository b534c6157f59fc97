import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.clock import FakeClock, SystemClock
from harness.errors import ConfigError
from harness.gateway.jwks import Jwks

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def entry(key_id: str, **changes: Any) -> dict[str, Any]:
    fields = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    return {**fields, "kid": key_id, **changes}


class Issuer:
    """A server of keys that can be changed and broken."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.status = 200
        self.asked = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"keys": self.keys}, status=self.status)


@asynccontextmanager
async def serving(issuer: Issuer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/jwks", issuer.answer)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}/jwks"


def allowed(url: str) -> list[str]:
    return [url.removeprefix("http://").removesuffix("/jwks")]


async def test_keys_are_there_from_the_start_and_only_those_that_sign_rs256() -> None:
    issuer = Issuer(
        entry("a"), entry("enc", use="enc"), entry("other", alg="RS512"), {"kty": "oct", "k": "AAAA", "kid": "secret"}
    )
    async with serving(issuer) as url:
        jwks = Jwks(url, allow_hosts=allowed(url), clock=SystemClock())

        async with jwks.kept():
            found = {key_id: jwks.find(key_id) for key_id in ("a", "enc", "other", "secret", None)}

    assert found["a"] is not None
    assert [found[key_id] for key_id in ("enc", "other", "secret", None)] == [None] * 4


async def test_a_new_key_is_fetched_soon_after_it_is_first_seen_and_invented_ones_do_not_flood_the_issuer() -> None:
    issuer, clock = Issuer(entry("a")), FakeClock()
    async with serving(issuer) as url:
        jwks = Jwks(url, allow_hosts=allowed(url), clock=clock)
        async with jwks.kept():
            issuer.keys.append(entry("b"))
            for n in range(1_000):
                jwks.find(f"invented-{n}")
            assert jwks.find("b") is None
            # Only the keeper sleeps, so time stands still while a real fetch is under way.
            while jwks.find("b") is None:
                await asyncio.sleep(0)
            waited_s = clock.monotonic()

    assert issuer.asked == 2
    assert 9.0 <= waited_s <= 13.0


async def test_the_last_keys_stay_for_a_day_while_the_issuer_is_away() -> None:
    issuer, clock = Issuer(entry("a")), FakeClock()
    async with serving(issuer) as url:
        jwks = Jwks(url, allow_hosts=allowed(url), clock=clock)
        async with jwks.kept():
            issuer.status = 500
            while issuer.asked < 2:
                await asyncio.sleep(0)  # the keeper's own sleep lets the time pass
            kept = jwks.find("a")
            clock.advance(86_400.0)
            gone = jwks.find("a")

    assert kept is not None
    assert gone is None


def test_an_address_that_is_not_encrypted_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="JWKS_URL"):
        Jwks("http://issuer.example/jwks", allow_hosts=[], clock=FakeClock())
