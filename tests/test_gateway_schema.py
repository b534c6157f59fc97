"""schemathesis reads the OpenAPI document and finds nothing; a short run.

What a schema cannot say is given to it: what a recording is, and that a key is a new one.
"""

import asyncio
import base64
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.transport.serialization import Binary

from harness.gateway.openapi import openapi_document
from tests.gateways import World, running_gateway
from tests.harness.providers.stubs import a_wav

load_all_checks()
RECORDINGS = [a_wav(1.0), a_wav(2.5)]
schemathesis.openapi.format("base64", st.sampled_from([base64.b64encode(each).decode() for each in RECORDINGS]))
schemathesis.openapi.format("binary", st.sampled_from([Binary(each) for each in RECORDINGS]))
SCHEMA = schemathesis.openapi.from_dict(openapi_document())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway in a thread of its own: schemathesis calls it as a synchronous client does."""
    started, stop, found = threading.Event(), asyncio.Event(), list[Any]()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with running_gateway(tmp_path_factory.mktemp("home"), modes={}) as world:
            found.append(world)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(30)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


@SCHEMA.parametrize()
@hypothesis.settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_every_route_keeps_to_its_document(case: Any, world: World) -> None:
    if "Idempotency-Key" in (case.headers or {}) and case.meta.generation.mode.is_positive:
        case.headers["Idempotency-Key"] = uuid4().hex

    case.call_and_validate(base_url=world.base_url, headers={"Authorization": f"Bearer {world.key}"})
