"""schemathesis reads the OpenAPI document and finds nothing; a short run."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from harness.gateway.openapi import openapi_document
from tests.gateways import World, running_gateway

load_all_checks()
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
    # A schema cannot say that a string is a recording, or that a key is a new one: what looks right may be refused.
    unsaid = case.path.endswith("/clone") or "Idempotency-Key" in (case.headers or {})
    excluded = [positive_data_acceptance] if unsaid else []
    headers = {"Authorization": f"Bearer {world.key}"}
    case.call_and_validate(base_url=world.base_url, headers=headers, excluded_checks=excluded)
