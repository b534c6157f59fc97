"""Providers as the tests use them: the real client, pointed at a server of this machine."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr
from yarl import URL

from harness.clock import Clock, FakeClock
from harness.config import ModalSettings, QwenSettings
from harness.providers.addresses import Addresses
from harness.providers.door import Door, Limits
from harness.providers.modal import ModalProvider
from harness.providers.pricing import PriceList
from harness.providers.qwen import QwenProvider
from harness.providers.voices import VoiceRegistry
from harness.speech import Reference, SpeechRequest, Voice, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_request, a_voice
from tests.harness.providers.stubs import CANARY, PRICES, a_wav


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def references(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "references")


@pytest.fixture
def registry(tmp_path: Path) -> VoiceRegistry:
    return VoiceRegistry(tmp_path / "voices.jsonl")


@pytest.fixture
def prices() -> PriceList:
    return PriceList.load(PRICES)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def open_door(stack: AsyncExitStack, clock: FakeClock) -> Callable[..., Awaitable[Door]]:
    async def open_(base: str, *, also: tuple[str, ...] = (), door_clock: Clock | None = None, **limits: Any) -> Door:
        url = URL(base)
        chosen = Limits(**({"connect_timeout_s": 2.0, "read_timeout_s": 2.0, "max_reply_bytes": 1_000_000} | limits))
        addresses = Addresses(origin=url, hosts=None, allow_hosts={url.authority, *also})
        secrets = {"Authorization": f"Bearer {CANARY}"}
        door = Door(origin=url, addresses=addresses, secrets=secrets, limits=chosen, clock=door_clock or clock)
        return await stack.enter_async_context(door)

    return open_


@pytest.fixture
def open_qwen(
    stack: AsyncExitStack, clock: FakeClock, prices: PriceList, references: BlobStore, registry: VoiceRegistry
) -> Callable[..., Awaitable[QwenProvider]]:
    async def open_(base: str, *, also: tuple[str, ...] = (), clock: Clock = clock, **settings: Any) -> QwenProvider:
        provider = QwenProvider(
            QwenSettings(
                **{"base_url": base, "api_key": SecretStr(CANARY), "account": "acme", "allow_voice_creation": True}
                | settings
            ),
            prices=prices,
            references=references,
            voices=registry,
            allow_hosts={URL(base).authority, *also},
            clock=clock,
            random=Random(1),
        )
        return await stack.enter_async_context(provider)

    return open_


@pytest.fixture
def open_modal(
    stack: AsyncExitStack, clock: FakeClock, prices: PriceList, references: BlobStore
) -> Callable[..., Awaitable[ModalProvider]]:
    async def open_(
        base: str | None, *, also: tuple[str, ...] = (), clock: Clock = clock, **settings: Any
    ) -> ModalProvider:
        provider = ModalProvider(
            ModalSettings(base_url=base, key=SecretStr(f"wk-{CANARY}"), secret=SecretStr(f"ws-{CANARY}"), **settings),
            prices=prices,
            references=references,
            allow_hosts={*([URL(base).authority] if base else []), *also},
            clock=clock,
            random=Random(1),
        )
        return await stack.enter_async_context(provider)

    return open_


@pytest.fixture
def anna(references: BlobStore) -> Voice:
    """A voice with a recording that every check of a reference lets pass."""
    sha256 = references.put(a_wav(3.0), "wav")
    return a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="I am Anna."))


@pytest.fixture
def vivian() -> SpeechRequest:
    return a_request("Call me: 0171 5550123", voice=a_voice(id="Vivian"))
