"""The process' own work, in this process; what its gateway sees of it is the matter of test_shadow_process.py."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.clock import Clock, SystemClock
from harness.config import Settings
from harness.errors import ConfigError
from harness.exchanges import Exchange, Lane
from harness.gateway.shadow import Shadow
from harness.gateway.shadow_main import carry_out_copies
from harness.gateway.shadow_wire import Begin, Message, Offered, Report, Throttled, messages, packed
from tests.harness.gateway.copying import a_copy, a_shadow
from tests.scripted import ScriptedProvider


class Gateway:
    """The other end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.told = messages(reader)
        self.writer = writer
        self.shadows: list[Shadow] = []
        self.reports: list[Report] = []
        self.begun = asyncio.Event()

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self.writer.writelines(packed(message))

    async def hear(self, count: int) -> dict[int, Exchange | None]:
        """The outcomes of the copies that end next, at least so many; `reports` are those that told of them."""
        ended: dict[int, Exchange | None] = {}
        async with asyncio.timeout(60):
            while len(ended) < count:
                report = await anext(self.told)
                assert isinstance(report, Report)
                self.reports.append(report)
                ended |= report.ended
        return ended


@asynccontextmanager
async def a_gateway(home: Path, **shadow: Any) -> AsyncIterator[Gateway]:
    ours, theirs = socket.socketpair()
    gateway = Gateway(*await asyncio.open_unix_connection(sock=ours))

    def open_shadow(begin: Begin, clock: Clock) -> Shadow:
        settings = Settings.model_validate(begin.settings)
        qwen = ScriptedProvider("qwen", clock=clock, latency_s=shadow.pop("latency_s", 0.0))
        made = a_shadow(settings.home, clock, qwen=qwen, **shadow)
        gateway.shadows.append(made)
        return made

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(carry_out_copies(theirs, open_shadow, SystemClock(), begun=gateway.begun.set))
        yield gateway
        gateway.writer.write_eof()
        async for _ in gateway.told:
            pass
        gateway.writer.close()


def copies(count: int, *, wants_outcome: bool) -> list[Message]:
    return [Offered(number=number, copy=a_copy(f"r{number}"), wants_outcome=wants_outcome) for number in range(count)]


async def test_who_waits_for_outcomes_hears_each_with_how_things_stand(tmp_path: Path) -> None:
    async with a_gateway(tmp_path) as gateway:
        gateway.tell(Begin.of(Settings(home=tmp_path), {}, processes=1), *copies(2, wants_outcome=True))
        ended = await gateway.hear(2)

    assert {number: each and each.outcome for number, each in ended.items()} == {0: "ok", 1: "ok"}
    last = gateway.reports[-1]
    assert (last.counts.kept, last.counts.sent, last.spent_microusd, last.waiting) == (2, 2, 2_000, 0)


async def test_where_nobody_waits_several_are_told_of_together(tmp_path: Path) -> None:
    async with a_gateway(tmp_path) as gateway:
        gateway.tell(Begin.of(Settings(home=tmp_path), {}, processes=1), *copies(50, wants_outcome=False))
        ended = await gateway.hear(50)

    assert ended == dict.fromkeys(range(50))
    assert len(gateway.reports) < 50


async def test_a_copy_that_finds_no_room_is_told_of_as_well(tmp_path: Path) -> None:
    async with a_gateway(tmp_path, queue=1, concurrency=1, latency_s=3_600.0) as gateway:
        gateway.tell(Begin.of(Settings(home=tmp_path), {}, processes=1), *copies(4, wants_outcome=True))
        ended = await gateway.hear(2)

    assert set(ended.values()) == {None}
    assert gateway.reports[-1].counts.dropped == 2


async def test_a_429_of_a_caller_slows_copies_down(tmp_path: Path) -> None:
    async with a_gateway(tmp_path) as gateway:
        gateway.tell(Begin.of(Settings(home=tmp_path), {}, processes=1), Throttled(lane=Lane.CANDIDATE))
        gateway.tell(*copies(1, wants_outcome=True))
        await gateway.hear(1)

        assert gateway.begun.is_set()
        (shadow,) = gateway.shadows
        assert shadow._routes[Lane.CANDIDATE].pace.factor < 1.0


async def test_who_is_closed_before_a_word_ends(tmp_path: Path) -> None:
    async with a_gateway(tmp_path) as gateway:
        pass

    assert gateway.shadows == []
    assert not gateway.begun.is_set()


async def test_settings_that_cannot_be_used_end_it_with_the_reason(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_unix_connection(sock=ours)
    writer.writelines(packed(Begin.of(Settings(home=tmp_path), {}, processes=1)))

    begun = asyncio.Event()

    def refuse(begin: Begin, clock: Clock) -> Shadow:
        raise ConfigError("CUTOVER_PRICES: there is no such file")

    with pytest.raises(ConfigError, match="no such file"):
        await carry_out_copies(theirs, refuse, SystemClock(), begun=begun.set)
    assert not begun.is_set()
    writer.close()
