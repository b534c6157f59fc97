import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.clock import FakeClock
from harness.emulators.audio import encode_wav
from harness.errors import ErrorKind
from harness.exchanges import Exchange, Failure, Lane
from harness.gateway.books import Books
from harness.gateway.journey import Journey, LiveCall
from harness.gateway.reports import answered_request
from harness.rollout.outcomes import AudioTrouble, LiveOutcome
from harness.rollout.places import spool_folder
from harness.rollout.rules import load_rules
from harness.rollout.spool import Spool, stored_outcomes
from harness.routing.breaker import BreakerRules, Phase
from harness.routing.breakers import Breakers
from harness.speech import Operation
from harness.store.journal import read_journal
from harness.telemetry.metrics import Metrics
from tests.builders import NOON, an_exchange
from tests.gateways import running_gateway
from tests.journeys import SLOWNESS, a_journey, a_router


def outcomes(home: Path) -> list[LiveOutcome]:
    return list(stored_outcomes(spool_folder(home)))


def a_live_call(exchange: Exchange) -> LiveCall:
    return LiveCall(lane=Lane.CANDIDATE, exchange=exchange, microusd=1, change=None, ended_s=NOON.timestamp())


async def closed(home: Path, journey: Journey, *, total_s: float = 0.1, **parts: Any) -> None:
    """The books of one request, closed."""
    clock, spool = FakeClock(), Spool(spool_folder(home))
    answered = answered_request(journey, request_id="r1", route="/", status=200, outcome=None, total_s=total_s)
    async with Books(
        spool=spool,
        metrics=Metrics(),
        breakers=Breakers(clock=clock, rules=BreakerRules()),
        rules=load_rules().audio,
        clock=clock,
        process="0",
        slowness=SLOWNESS,
        **parts,
    ) as books:
        books.close(answered, journey)
    spool.close()


class Keeper:
    """A recorder and a shadow that only keep what they are offered."""

    def __init__(self) -> None:
        self.offered: list[Any] = []

    def wants(self, _: str) -> bool:
        return True

    def __contains__(self, _: object) -> bool:
        return False

    def offer(self, what: Any, *_: Any) -> bool:
        self.offered.append(what)
        return True


async def test_each_call_is_an_outcome_and_a_fallback_is_no_failed_caller(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        world.qwen.script.load({"faults": [{"fault": "unavailable", "times": 1}]})
        await world.speak()
        await world.speak()

    told = {(each.lane, each.kind, each.caller_failed) for each in outcomes(tmp_path)}
    assert told == {
        (Lane.CANDIDATE, ErrorKind.OVERLOADED, False),
        (Lane.CONTROL, None, False),
        (Lane.CANDIDATE, None, False),
    }


async def test_speech_of_qwen_is_listened_to(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        await world.speak()

    assert [each.troubles for each in outcomes(tmp_path)] == [()]


async def test_silence_is_heard(tmp_path: Path) -> None:
    journey = a_journey()
    journey.calls.append(a_live_call(an_exchange(audio=encode_wav(np.zeros(48_000, np.float32)))))

    await closed(tmp_path, journey)

    assert [each.troubles for each in outcomes(tmp_path)] == [(AudioTrouble.SILENT,)]


async def test_what_a_caller_took_to_read_is_no_time_of_the_providers(tmp_path: Path) -> None:
    journey, recorder = a_journey(listener_waited_s=3.0), Keeper()
    journey.calls.append(a_live_call(an_exchange()))

    await closed(tmp_path, journey, total_s=5.0, recorder=recorder)

    (capture,) = recorder.offered
    assert capture.observed.total_s == 2.0


async def test_a_copy_says_how_long_the_caller_took_to_hear_it(tmp_path: Path) -> None:
    journey, shadow = a_journey(listener_waited_s=3.0), Keeper()
    journey.route = a_router().route(journey.request.operation, unit="u", request_id="r1")
    journey.calls.append(a_live_call(an_exchange(facts={"listener_bytes": 10, "listener_waited_s": 0.0})))

    await closed(tmp_path, journey, shadow=shadow)

    (copy,) = shadow.offered
    assert copy.exchanges[Lane.CANDIDATE].facts == {"listener_bytes": 10, "listener_waited_s": 3.0}


@pytest.mark.parametrize(
    ("kind", "caller_failed"), [(ErrorKind.CANCELLED, None), (ErrorKind.INTERNAL, True), (None, False)]
)
async def test_a_caller_who_left_was_not_failed(
    tmp_path: Path, kind: ErrorKind | None, caller_failed: bool | None
) -> None:
    undelivered = kind and Failure(kind=kind, code=None, detail="not delivered")
    journey = a_journey(undelivered=undelivered)
    journey.calls.append(a_live_call(an_exchange()))

    await closed(tmp_path, journey)

    assert [(each.kind, each.caller_failed) for each in outcomes(tmp_path)] == [(None, caller_failed)]


async def test_copies_go_to_the_other_provider_after_the_reply(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={"generate": "shadow:10000"}) as world:
        status, headers, _ = await world.speak()
        shadow = world.gateway.shadow
        async with asyncio.timeout(60):
            while not shadow.counts.sent:
                await asyncio.sleep(0.01)

        assert (status, headers["X-Provider"], shadow.counts.offered) == (200, "modal", 1)


async def test_probes_close_the_breaker_without_any_caller_waiting(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        world.qwen.script.load({"faults": [{"fault": "unavailable", "times": 3}]})
        for _ in range(3):
            await world.speak()
        breaker = world.gateway.control.breakers.of(Lane.CANDIDATE, Operation.GENERATE)
        assert breaker.state.phase is Phase.OPEN

        rewind(breaker)
        because, answered_while_open = [], set()
        async with asyncio.timeout(30):
            while not breaker.is_closed:
                _, headers, _ = await world.speak()
                because.append((headers["X-Provider"], headers["X-Route"]))
                answered_while_open |= set() if breaker.is_closed else {headers["X-Provider"]}
                await asyncio.sleep(0.05)

        assert ("modal", "probe") in because
        assert answered_while_open <= {"modal"}


def rewind(breaker: Any) -> None:
    """As if it had been open for long enough."""
    breaker.state = replace(breaker.state, changed_at_s=breaker.state.changed_at_s - 31)


async def test_real_requests_become_captures(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}, capture_bp=10_000) as world:
        await world.speak("Nobody's secret.")

    lines = [line for file in (tmp_path / "captures").glob("*.jsonl*") for line in file.read_text().splitlines()]
    assert len(lines) == 1


async def test_slow_calls_are_written_down_and_open_the_breaker(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, slow_s_generate=1e-6) as world:
        for _ in range(20):
            await world.speak()

    told = outcomes(tmp_path)
    assert {each.slow for each in told} == {True}
    assert [each.change for each in told if each.change] == ["opened"]
    assert {each.lane for each in told} == {Lane.CANDIDATE, Lane.CONTROL}


async def test_what_failed_in_both_lanes_is_kept_too(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        world.qwen.script.load({"faults": [{"fault": "unavailable", "times": 1}]})
        world.modal.script.load({"faults": [{"fault": "app-error", "times": 1}]})
        status, _, _ = await world.speak()
        counts = world.gateway.shadow.counts
        async with asyncio.timeout(60):
            while not counts.kept:
                await asyncio.sleep(0.01)

    (journal,) = (tmp_path / "runs").glob("*/journal.jsonl")
    rows = [record["row"] for record in read_journal(journal).records if record["type"] == "result"]
    assert status == 503
    assert {(row["lane"], row["outcome"] == "ok") for row in rows} == {("candidate", False), ("control", False)}


async def test_a_caller_who_leaves_is_no_evidence(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        world.qwen.script.load({"faults": [{"fault": "hang-before", "times": 1}]})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await world.speak()

        assert world.gateway.shadow.counts.offered == 0


async def test_a_callers_429_slows_copies_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_gateway(tmp_path) as world:
        throttled: list[Lane] = []
        monkeypatch.setattr(world.gateway.shadow, "note_throttled", throttled.append)
        world.qwen.script.load({"faults": [{"fault": "throttling", "times": 1}]})
        await world.speak()

    assert throttled == [Lane.CANDIDATE]
