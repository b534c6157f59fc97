from collections.abc import AsyncIterator

import aiohttp
import pytest

from harness.emulators.server import running_modal, running_qwen
from tests.harness.emulators.callers import Caller, a_recording
from tests.virtual_time import VirtualClock


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def qwen(session: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    async with running_qwen(clock=VirtualClock()) as standin:
        yield Caller(session, standin.base_url)


@pytest.fixture
async def modal(session: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    async with running_modal(clock=VirtualClock()) as standin:
        yield Caller(session, standin.base_url)


@pytest.fixture(scope="session")
def wav() -> bytes:
    """A recording that every check of a reference lets pass, spoken by the alto."""
    return a_recording()
