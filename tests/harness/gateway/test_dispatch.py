import asyncio
from typing import Any

import pytest

from harness.clock import SystemClock
from harness.errors import ErrorKind
from harness.exchanges import Failure, Lane, Speech
from harness.flags.flagset import Mode
from harness.gateway.journey import Journey
from harness.providers.base import AudioSink
from harness.routing.breaker import Phase
from harness.routing.router import Router
from harness.speech import Operation
from tests.builders import an_exchange
from tests.journeys import Switch, a_dispatcher, a_journey, a_router
from tests.scripted import ScriptedProvider


class Streaming(ScriptedProvider):
    """Gives some audio to the sink, then ends as `answer` says."""

    async def synthesize(self, request: Any, *, sink: AudioSink | None = None, **arguments: Any) -> Any:
        if sink is not None:
            await sink.begin(rate_hz=24_000)
            await sink.write(b"\0\0")
        return await super().synthesize(request, **arguments)


class Ear:
    """A sink that keeps what it hears, in its own time."""

    def __init__(self, *, takes_s: float = 0.0, error: Exception | None = None) -> None:
        self.heard = b""
        self._takes_s = takes_s
        self._error = error

    async def begin(self, *, rate_hz: int) -> None:
        pass

    async def write(self, pcm: bytes) -> None:
        await asyncio.sleep(self._takes_s)
        if self._error is not None:
            raise self._error
        self.heard += pcm


def failing(name: str, kind: ErrorKind = ErrorKind.OVERLOADED, **options: Any) -> ScriptedProvider:
    return scripted(name, answer=lambda _: an_exchange(provider=name, failed=kind), **options)


def scripted(name: str, *, latency_s: float = 0.001, **options: Any) -> ScriptedProvider:
    return ScriptedProvider(name, clock=SystemClock(), latency_s=latency_s, **options)


async def answered(
    qwen: ScriptedProvider,
    modal: ScriptedProvider,
    *,
    router: Router | None = None,
    sink: AudioSink | None = None,
    journey: Journey | None = None,
    switch: Switch | None = None,
) -> tuple[Speech | Failure | None, Journey]:
    clock, journey, switch = SystemClock(), journey or a_journey(), switch or Switch()
    router = router or a_router(switch=switch, clock=clock)
    dispatcher = a_dispatcher({Lane.CANDIDATE: qwen, Lane.CONTROL: modal}, router=router, switch=switch, clock=clock)
    return await dispatcher.answer(journey, sink=sink), journey


def heard(result: Speech | Failure | None) -> bytes:
    assert isinstance(result, Speech)
    return result.audio


async def test_who_answers_alone_is_asked_alone() -> None:
    qwen, modal = scripted("qwen"), scripted("modal")

    result, journey = await answered(qwen, modal)

    assert heard(result).startswith(b"qwen:")
    assert ([call.lane for call in journey.calls], journey.fallback) == ([Lane.CANDIDATE], None)
    assert not modal.sent


@pytest.mark.parametrize(
    "kind", [ErrorKind.OVERLOADED, ErrorKind.AUTH, ErrorKind.CONTENT_BLOCKED, ErrorKind.UNSUPPORTED]
)
async def test_legacy_is_asked_once_when_qwen_fails(kind: ErrorKind) -> None:
    qwen, modal = failing("qwen", kind), scripted("modal")

    result, journey = await answered(qwen, modal)

    assert heard(result).startswith(b"modal:")
    assert journey.fallback == kind.value
    assert (qwen.sent.total(), modal.sent.total()) == (1, 1)


async def test_a_first_byte_that_is_late_ends_the_call_and_keeps_its_cost_at_worst() -> None:
    qwen, modal = scripted("qwen", latency_s=5.0), scripted("modal")

    result, journey = await answered(qwen, modal)

    assert heard(result).startswith(b"modal:")
    assert (qwen.under_way, journey.calls[0].exchange.outcome) == (0, "timeout_read")


async def test_legacy_has_all_the_time_there_is() -> None:
    result, _ = await answered(failing("qwen"), scripted("modal", latency_s=0.1))

    assert heard(result).startswith(b"modal:")


async def test_once_audio_was_heard_no_other_voice_goes_on() -> None:
    clock = SystemClock()
    broken = Streaming("qwen", clock=clock, latency_s=0.1, answer=lambda _: an_exchange(failed=ErrorKind.CONN_RESET))
    modal, ear = scripted("modal"), Ear()

    result, journey = await answered(broken, modal, sink=ear)

    # 0.1 s is beyond the limit for the first byte, which was there in time.
    assert isinstance(result, Failure)
    assert (result.kind, ear.heard, journey.fallback) == (ErrorKind.CONN_RESET, b"\0\0", None)
    assert not modal.sent


async def test_a_caller_who_reads_slowly_is_waited_for_and_takes_none_of_the_providers_time() -> None:
    clock, ear = SystemClock(), Ear(takes_s=0.2)
    qwen = Streaming("qwen", clock=clock, latency_s=0.001, answer=lambda _: an_exchange(service_s=0.03))

    result, journey = await answered(qwen, scripted("modal"), sink=ear)

    assert isinstance(result, Speech)
    assert ear.heard == b"\0\0"
    (call,) = journey.calls
    assert (call.exchange.timing.service_s, call.slow) == (0.03, False)
    assert journey.listener_waited_s > 0.15
    assert clock.now().timestamp() - call.ended_s > 0.15  # it was noted when the provider was done


async def test_the_breaker_hears_of_a_call_before_the_caller_has_read_it() -> None:
    router = a_router(clock=SystemClock())
    breaker = router.breakers.of(Lane.CANDIDATE, Operation.GENERATE)

    class Watching(Ear):
        async def write(self, pcm: bytes) -> None:
            async with asyncio.timeout(30):
                while not breaker.state.streak:
                    await asyncio.sleep(0.001)
            self.heard += pcm

    breaking = Streaming(
        "qwen", clock=SystemClock(), latency_s=0.001, answer=lambda _: an_exchange(failed=ErrorKind.CONN_RESET)
    )
    ear = Watching()
    await answered(breaking, scripted("modal"), router=router, sink=ear)

    assert ear.heard == b"\0\0"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(ConnectionResetError(), ErrorKind.CANCELLED, id="left"),
        pytest.param(TypeError(), ErrorKind.INTERNAL, id="our own fault"),
    ],
)
async def test_speech_that_did_not_reach_the_caller_is_no_failure_of_the_provider(
    error: Exception, kind: ErrorKind
) -> None:
    streaming = Streaming("qwen", clock=SystemClock(), latency_s=0.001)

    result, journey = await answered(streaming, scripted("modal"), sink=Ear(error=error, takes_s=0.02))

    assert isinstance(result, Failure)
    assert (result.kind, journey.result, journey.calls[0].exchange.outcome) == (kind, result, "ok")


async def test_a_caller_who_leaves_while_reading_leaves_a_finished_call() -> None:
    qwen, journey = Streaming("qwen", clock=SystemClock(), latency_s=0.001), a_journey()

    answering = asyncio.ensure_future(answered(qwen, scripted("modal"), journey=journey, sink=Ear(takes_s=600.0)))
    while not journey.calls:
        await asyncio.sleep(0.001)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering

    assert [call.exchange.outcome for call in journey.calls] == ["ok"]


async def test_when_both_fail_the_last_failure_is_told() -> None:
    result, journey = await answered(failing("qwen"), failing("modal", ErrorKind.CONN_RESET))

    assert isinstance(result, Failure)
    assert (result.kind, len(journey.calls)) == (ErrorKind.CONN_RESET, 2)


async def test_nobody_is_asked_while_both_breakers_are_open() -> None:
    router = a_router(clock=SystemClock())
    for lane in (Lane.CANDIDATE, Lane.CONTROL):
        for _ in range(20):
            breaker = router.breakers.of(lane, Operation.GENERATE)
            permit = breaker.ask_permit()
            if permit:
                breaker.record(permit, ErrorKind.OVERLOADED)
    qwen, modal = scripted("qwen"), scripted("modal")

    result, journey = await answered(qwen, modal, router=router)

    assert (result, journey.calls, qwen.sent.total(), modal.sent.total()) == (None, [], 0, 0)


async def test_a_kill_between_the_route_and_the_call_sends_nothing_to_qwen() -> None:
    switch = Switch()
    qwen, modal = scripted("qwen"), scripted("modal")
    router = a_router(clock=SystemClock())  # has not seen the switch yet
    switch.on = True

    result, journey = await answered(qwen, modal, router=router, switch=switch)

    assert heard(result).startswith(b"modal:")
    assert (qwen.sent.total(), journey.fallback) == (0, "cancelled")
    assert router.breakers.of(Lane.CANDIDATE, Operation.GENERATE).is_closed


async def test_three_failures_open_the_breaker() -> None:
    router = a_router(clock=SystemClock())
    qwen = failing("qwen")

    for _ in range(5):
        await answered(qwen, scripted("modal"), router=router)

    assert qwen.sent.total() == 3
    assert router.breakers.of(Lane.CANDIDATE, Operation.GENERATE).state.phase is Phase.OPEN


async def test_a_caller_who_leaves_ends_the_call_and_is_written_down() -> None:
    qwen, journey = scripted("qwen", latency_s=5.0), a_journey()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await answered(qwen, scripted("modal"), journey=journey)

    assert (qwen.under_way, [call.exchange.outcome for call in journey.calls]) == (0, ["cancelled"])


async def test_our_own_fault_is_a_failure_and_blames_nobody() -> None:
    def burst(_: Any) -> Any:
        raise ZeroDivisionError

    router = a_router(clock=SystemClock())

    result, journey = await answered(scripted("qwen", answer=burst), scripted("modal"), router=router)

    assert heard(result).startswith(b"modal:")
    assert journey.fallback == "internal"
    assert router.breakers.of(Lane.CANDIDATE, Operation.GENERATE).state.streak == 0


async def test_legacy_is_never_answered_for_by_qwen() -> None:
    router = a_router(mode=Mode.LEGACY, clock=SystemClock())
    qwen = scripted("qwen")

    result, _ = await answered(qwen, failing("modal"), router=router)

    assert isinstance(result, Failure)
    assert not qwen.sent


@pytest.mark.parametrize("mode", [Mode.QWEN, Mode.LEGACY])
async def test_a_lane_that_nobody_set_up_is_as_one_that_is_down(mode: Mode) -> None:
    clock, switch = SystemClock(), Switch()
    router = a_router(mode=mode, switch=switch, clock=clock)
    dispatcher = a_dispatcher({}, router=router, switch=switch, clock=clock)
    journey = a_journey()

    assert (await dispatcher.answer(journey), journey.calls) == (None, [])


async def test_a_failure_is_told_where_no_legacy_is_left() -> None:
    clock, switch = SystemClock(), Switch()
    router = a_router(switch=switch, clock=clock)
    dispatcher = a_dispatcher({Lane.CANDIDATE: failing("qwen")}, router=router, switch=switch, clock=clock)

    result = await dispatcher.answer(a_journey())

    assert isinstance(result, Failure)
    assert result.kind is ErrorKind.OVERLOADED
