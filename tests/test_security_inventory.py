"""S8-34: what a whole day's work really contacts is what the inventory lists, and nothing else.

Sockets are watched by Python itself. Stand-ins stand for services: each for the one whose setting led there.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from harness.config import PROJECT, Settings
from harness.security.inventory import Service, read_inventory
from tests.gateways import World, running_gateway
from tests.harness.providers.stubs import a_wav
from tests.traffic import b64

_watched: list[tuple[str, Any]] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is not None and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _watched.append((event, arguments[1] if event != "socket.getaddrinfo" else (arguments[0], arguments[1])))


sys.addaudithook(_hook)  # there is no taking it off again; it sleeps but for the block below


@contextmanager
def watching() -> Iterator[list[tuple[str, Any]]]:
    """Every address that is connected to, and every name that is looked up, while the block runs."""
    global _watched
    _watched = found = []
    try:
        yield found
    finally:
        _watched = None


def services_of(settings: Settings, audio: str) -> dict[str, Service]:
    """By host and port, the service that a stand-in stands for: the one that lists the setting that led there."""
    led = {
        settings.qwen.base_url: "qwen.base_url",
        audio: "qwen.audio_hosts",
        str(settings.modal.base_url): "modal.base_url",
    }
    default = [each for each in read_inventory(PROJECT).service if each.by_default or not each.hosts]
    return {
        URL(address).authority: next(each for each in default if setting in each.settings)
        for address, setting in led.items()
    }


async def work(world: World) -> None:
    """A request of every operation, one of them by each provider, streamed and not."""
    for fields in ({}, {"stream_format": "sse"}, {"response_format": "pcm"}):
        status, _, _ = await world.speak(**fields)
        assert status == 200
    design = {"description": "a calm, low voice", "preview_text": "Good evening, and welcome."}
    clone = {
        "audio": b64(a_wav(12.0)),
        "transcript": "I am Anna.",
        "consent": {"scope": ["clone:qwen", "clone:modal"], "evidence": "contract 7"},
    }
    for route, body in (("design", design), ("clone", clone)):
        async with world.http.post(f"{world.base_url}/v1/voices/{route}", json=body, headers=world.headers) as reply:
            assert reply.status in (200, 201), await reply.text()
    world.set_flags(generate="legacy", clone="legacy", design="legacy")
    async with asyncio.timeout(60):  # the gateway looks for new flags a few times a second
        while (await world.speak())[1]["X-Provider"] != "modal":
            await asyncio.sleep(0.02)


async def test_a_days_work_contacts_the_services_of_the_inventory_and_nobody_else(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, capture_bp=10_000) as world:
        services = services_of(world.settings, world.qwen.audio_url or "")
        ourselves = {URL(world.base_url).authority, URL(world.admin_url).authority}
        with watching() as found:
            await work(world)

    contacted = {f"{address[0]}:{address[1]}" for event, address in found if event != "socket.getaddrinfo"}
    assert contacted - ourselves == set(services)
    assert {service.name for service in services.values()} == {"Qwen API, Singapore", "Qwen audio", "Legacy deployment"}
    assert {address[0] for event, address in found if event == "socket.getaddrinfo"} <= {"127.0.0.1"}


async def test_the_watch_sees_a_connection_to_somebody_else() -> None:
    with watching() as found, pytest.raises(OSError, match="refused|failed"):
        await asyncio.open_connection("127.0.0.1", 9)

    assert ("socket.connect", ("127.0.0.1", 9)) in found
