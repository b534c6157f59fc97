"""What the fault matrix is tested with: providers before stand-ins that misbehave, and a look at what is left open."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr
from yarl import URL

from harness.clock import Clock, FakeClock
from harness.config import ModalSettings, QwenSettings
from harness.emulators.options import Dialect, ModalOptions, QwenOptions
from harness.emulators.server import Standin, running_modal, running_qwen
from harness.exchanges import Exchange
from harness.providers.base import AudioSink, Deadline
from harness.providers.modal import ModalProvider
from harness.providers.pricing import PriceList
from harness.providers.qwen import QwenProvider
from harness.providers.voices import VoiceRegistry
from harness.speech import SpeechRequest
from harness.store.blobs import BlobStore
from tests.builders import a_request, a_voice
from tests.canaries import QWEN_KEY
from tests.harness.providers.stubs import PRICES, Till
from tests.virtual_time import VirtualClock

__all__ = [
    "BILL",
    "VIVIAN",
    "Bench",
    "Case",
    "a_modal_bench",
    "a_qwen_bench",
    "case",
    "nothing_left",
    "open_provider",
    "request_of",
]

BILL = 130  # micro-dollars that the 13 characters of "Good morning." cost in Singapore
VIVIAN = a_voice(id="Vivian")
_PATIENCE_S = 1.0  # for connections that are on their way out


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the fault matrix against one provider (reliability.md, section 3)."""

    row: int
    faults: tuple[Mapping[str, Any], ...]
    outcome: str
    attempts: int
    booked: tuple[int | None, ...] | None = None  # by attempt; None: may have been billed, kept at its worst
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    waits_s: tuple[float, float] | None = None  # between which the pause before the next attempt lies
    facts: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""  # what the failure's sentence must say
    real_time: bool = False  # the fault is one of slowness, which needs a clock that runs


def case(row: int, name: str, *faults: Mapping[str, Any] | str, **expected: Any) -> Any:
    """A `Case` as a parameter whose id names the row; a fault given by its name alone happens to every request."""
    scripted = tuple({"fault": each, "times": None} if isinstance(each, str) else each for each in faults)
    return pytest.param(Case(row=row, faults=scripted, **expected), id=f"F{row:02} {name}")


@dataclass(kw_only=True)
class Bench:
    """A provider and the stand-in it talks to."""

    standin: Standin
    provider: QwenProvider | ModalProvider
    clock: Clock
    till: Till = field(default_factory=Till)

    async def ask(
        self, request: SpeechRequest, *, seconds: float = 20.0, sink: AudioSink | None = None, till: Till | None = None
    ) -> Exchange:
        """One exchange; no connection is in use after it."""
        exchange = await self.provider.synthesize(
            request, admission=till or self.till, deadline=Deadline(VirtualClock(), seconds), sink=sink
        )
        await _until(lambda: not self.in_use(), "connections in use")
        return exchange

    def in_use(self) -> list[object]:
        """Connections of the provider's door that a request has not given back."""
        session = self.provider._door._session
        assert session is not None
        connector: Any = session.connector
        return list(connector._acquired)

    def booked(self) -> int:
        """What our own books say was spent, at most."""
        return sum((call.worst_microusd or 0) if amount is None else amount for call, amount in self.till.settled)


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fails when a task, a socket or another open file is there afterwards that was not before."""
    tasks, files = asyncio.all_tasks(), _open_files()
    yield
    await _until(lambda: asyncio.all_tasks() <= tasks, "tasks", lambda: asyncio.all_tasks() - tasks)
    await _until(lambda: not _open_files() - files, "open files", lambda: _open_files() - files)


async def _until(is_so: Callable[[], bool], what: str, shown: Callable[[], object] = lambda: "") -> None:
    clock = VirtualClock()
    end_s = clock.monotonic() + _PATIENCE_S
    while not is_so():
        assert clock.monotonic() < end_s, f"left over: {what} {shown()}"
        await clock.sleep(0.005)


def _open_files() -> Counter[str]:
    """What the descriptors of this process lead to."""
    found: Counter[str] = Counter()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder's own, while it was listed
            found[str(descriptor.readlink())] += 1
    return found


def open_provider(
    name: str, base_url: str, folder: Path, *, also: str | None = None, clock: Clock, **settings: Any
) -> QwenProvider | ModalProvider:
    """The real client, allowed to reach the stand-in at `base_url`, with what it keeps in `folder`."""
    prices, references = PriceList.load(PRICES), BlobStore(folder / "references")
    allowed = {URL(each).authority for each in (base_url, also) if each and URL(each).host == "127.0.0.1"}
    if name == "modal":
        mine = ModalSettings(base_url=base_url, **settings)
        return ModalProvider(
            mine, prices=prices, references=references, allow_hosts=allowed, clock=clock, random=Random(1)
        )
    theirs = QwenSettings(**{"base_url": base_url, "api_key": SecretStr(QWEN_KEY), "account": "acme"} | settings)
    return QwenProvider(
        theirs,
        prices=prices,
        references=references,
        voices=VoiceRegistry(folder / "voices.jsonl"),
        allow_hosts=allowed,
        clock=clock,
        random=Random(1),
    )


@asynccontextmanager
async def a_qwen_bench(case: Case, folder: Path, *, clock: Clock | None = None) -> AsyncIterator[Bench]:
    """The Qwen client before its stand-in, which misbehaves as the case says."""
    clock = clock or (VirtualClock() if case.real_time else FakeClock())
    async with nothing_left(), running_qwen(QwenOptions(**case.options), clock=VirtualClock()) as standin:
        standin.script.load({"faults": list(case.faults)})
        settings = {"allow_voice_creation": True, **case.settings}
        provider = open_provider("qwen", standin.base_url, folder, also=standin.audio_url, clock=clock, **settings)
        async with provider:
            yield Bench(standin=standin, provider=provider, clock=clock)


@asynccontextmanager
async def a_modal_bench(case: Case, folder: Path, *, clock: Clock | None = None) -> AsyncIterator[Bench]:
    """The client of the legacy path before its stand-in, which misbehaves as the case says."""
    clock = clock or (VirtualClock() if case.real_time else FakeClock())
    dialect = Dialect(case.settings.get("dialect", "endpoints"))
    options = ModalOptions(**{"dialect": dialect, **case.options})
    async with nothing_left(), running_modal(options, clock=VirtualClock()) as standin:
        standin.script.load({"faults": list(case.faults)})
        provider = open_provider("modal", standin.base_url, folder, clock=clock, **case.settings)
        async with provider:
            yield Bench(standin=standin, provider=provider, clock=clock)


def request_of(case: Case, **base: Any) -> SpeechRequest:
    """What the case asks for."""
    return a_request(**{**base, **case.request})
