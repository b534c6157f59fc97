"""The rows of the fault matrix (reliability.md, section 3) that the Qwen client answers for, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.errors import BudgetExceeded
from harness.exchanges import Failure, Speech
from harness.providers.base import Deadline, PaidCall
from harness.speech import Operation
from tests.faulted import BILL, Case, a_qwen_bench, case, nothing_left, open_provider, request_of
from tests.harness.providers.stubs import Till, a_server, connections, sends
from tests.virtual_time import VirtualClock

SPEAK = "*/generation"
LONG = "Good morning, my dear friends of the radio, and a good evening to all of you who listen far away."
REALTIME = {"settings": {"delivery": "realtime"}, "request": {"text": LONG}}
STREAM = {"request": {"stream": True}}
QUICK = {"connect_timeout_s": 0.1, "read_timeout_s": 0.15, "max_attempts": 1}
SMALL = {"max_reply_bytes": 1_000_000}


def once(name: str, **parameters: Any) -> dict[str, Any]:
    return {"fault": name, "times": 1, **parameters}


def always(name: str, **parameters: Any) -> dict[str, Any]:
    return {"fault": name, "times": None, **parameters}


CASES = [
    case(1, "429 with a time", once("rate-quota", retry_after="2"), outcome="ok", attempts=2, booked=(0, BILL),
         waits_s=(2.0, 2.5)),
    case(2, "429 without a time", once("rate-quota"), outcome="ok", attempts=2, booked=(0, BILL), waits_s=(0.0, 4.0)),
    case(2, "429 with garbage", once("throttling", retry_after="soon"), outcome="ok", attempts=2, booked=(0, BILL),
         waits_s=(0.0, 4.0)),
    case(2, "429 with a date", once("burst-rate", retry_after="Mon, 23 Nov 2026 00:00:05 GMT"), outcome="ok",
         attempts=2, booked=(0, BILL), waits_s=(4.9, 5.5)),
    case(2, "429 with a negative time", once("rate-quota-openai", retry_after="-5"), outcome="ok", attempts=2,
         booked=(0, BILL), waits_s=(0.0, 4.0)),
    case(2, "429 with thirty years", once("rate-quota", retry_after="1000000000"), outcome="rate_limited", attempts=1,
         booked=(0,), waits_s=(0.0, 0.0)),
    case(3, "the free quota is used up", "free-quota", outcome="billing", attempts=1, booked=(0,)),
    case(3, "insufficient_quota", "insufficient-quota", outcome="billing", attempts=1, booked=(0,)),
    case(3, "Arrearage", "arrearage", outcome="billing", attempts=1, booked=(0,)),
    case(3, "an unpaid bill as 429", "postpaid-overdue", outcome="billing", attempts=1, booked=(0,)),
    case(3, "the voice store is full", {"fault": "voice-storage", "path": "*/customization", "times": 9},
         outcome="quota", attempts=1, booked=(0,), request={"operation": Operation.DESIGN}),
    case(5, "503 throughout", "unavailable", outcome="overloaded", attempts=3, booked=(None,) * 3),
    case(5, "503 that heals", once("unavailable"), outcome="ok", attempts=2, booked=(None, BILL)),
    case(5, "a gateway's 502 page", "bad-gateway", outcome="overloaded", attempts=3, booked=(None,) * 3),
    case(6, "400 InvalidParameter", "invalid-parameter", outcome="bad_request", attempts=1, booked=(0,)),
    case(7, "400 DataInspectionFailed", "content", outcome="content_blocked", attempts=1, booked=(0,)),
    case(8, "401", "bad-key", outcome="auth", attempts=1, booked=(0,)),
    case(8, "403", "access-denied", outcome="auth", attempts=1, booked=(0,)),
    case(9, "a head that drips", always("slow-head", bytes_per_s=100), outcome="timeout_read", attempts=1,
         booked=(None,), settings=QUICK, real_time=True, detail="head of the reply only dripped"),
    case(9, "a body that drips", always("slow-body", bytes_per_s=100), outcome="timeout_read", attempts=1,
         booked=(None,), settings=QUICK, real_time=True, detail="only dripped"),
    case(9, "audio that drips", always("slow-body", on="audio", bytes_per_s=100), outcome="timeout_read", attempts=1,
         booked=(BILL,), settings=QUICK, real_time=True, detail="only dripped"),
    case(9, "silence", "hang-after", outcome="timeout_read", attempts=1, booked=(None,), settings=QUICK),
    case(11, "reset before the work", "reset-before", outcome="unknown_outcome", attempts=1, booked=(None,)),
    case(11, "reset after the work", "reset-after", outcome="unknown_outcome", attempts=1, booked=(None,)),
    case(11, "reset of a creation", {"fault": "reset-after", "path": "*/customization", "times": 1},
         outcome="bad_response", attempts=1, booked=(None,), request={"operation": Operation.DESIGN},
         detail="came without its preview"),
    case(12, "a reply cut in the middle", "cut", outcome="conn_reset", attempts=3, booked=(None,) * 3),
    case(12, "audio cut in the middle", always("cut", on="audio"), outcome="conn_reset", attempts=1, booked=(BILL,)),
    case(12, "audio cut once", once("cut", on="audio"), outcome="ok", attempts=1, booked=(BILL,)),
    case(13, "the head promises too much", "length-too-long", outcome="conn_reset", attempts=3, booked=(None,) * 3),
    case(13, "the head promises too little", "length-too-short", outcome="bad_response", attempts=3,
         booked=(None,) * 3),
    case(13, "less audio than promised", always("length-too-long", on="audio"), outcome="conn_reset", attempts=1,
         booked=(BILL,)),
    case(13, "more audio than promised", always("length-too-short", on="audio"),
         outcome="truncated_audio|bad_response", attempts=1, booked=(BILL,)),  # by how the bytes fall into reads
    case(14, "a WAV file that ends early", "wav-cut", outcome="truncated_audio", attempts=1, booked=(BILL,)),
    case(15, "an empty body", "audio-empty", outcome="empty_audio", attempts=1, booked=(BILL,)),
    case(15, "44 bytes", "wav-head-only", outcome="empty_audio", attempts=1, booked=(BILL,)),
    case(15, "silence", "wav-silent", outcome="empty_audio", attempts=1, booked=(BILL,)),
    case(16, "a page as audio/wav", always("html", on="audio", content_type="audio/wav"), outcome="bad_audio",
         attempts=1, booked=(BILL,), detail="a page instead of audio, beginning with 3c21646f63747970"),
    case(16, "no magic bytes", "wav-corrupt", outcome="bad_audio", attempts=1, booked=(BILL,)),
    case(17, "200 with an error of an unknown code", always("json-error", code="Brand.New"), outcome="bad_response",
         attempts=3, booked=(None,) * 3, detail="Brand.New"),
    case(17, "200 with an error of a known code", "json-error", outcome="overloaded", attempts=3, booked=(None,) * 3,
         detail="InternalError.Algo"),
    case(17, "no url", "no-url", outcome="bad_response", attempts=3, booked=(None,) * 3),
    case(17, "url null", "other-url", outcome="bad_response", attempts=3, booked=(None,) * 3),
    case(17, "broken base64", "inline-audio", outcome="bad_response", attempts=3, booked=(None,) * 3),
    case(18, "half a JSON", "json-broken", outcome="bad_response", attempts=3, booked=(None,) * 3),
    case(18, "JSON of a hundred thousand brackets", "json-deep", outcome="bad_response", attempts=3,
         booked=(None,) * 3),
    case(18, "a bill that is no number", always("other-usage", characters="NaN"), outcome="bad_response", attempts=3,
         booked=(None,) * 3),
    case(18, "a bill as text", always("other-usage", characters="13"), outcome="bad_response", attempts=3,
         booked=(None,) * 3),
    case(18, "a negative bill", always("other-usage", characters=-1), outcome="bad_response", attempts=3,
         booked=(None,) * 3),
    case(18, "a bill of other characters", always("other-usage", characters=14), outcome="ok", attempts=1,
         booked=(BILL + 10,), facts={"chars_drift": 1}),
    case(20, "an address that expired", outcome="url_expired", attempts=1, booked=(BILL,),
         options={"url_lifetime_s": -1.0}),
    case(20, "a refusal that passes", once("access-denied", on="audio"), outcome="ok", attempts=1, booked=(BILL,)),
    case(20, "expires_at in the past", "expired", outcome="ok", attempts=1, booked=(BILL,), facts={"expires_at": 1}),
    *(case(21, url, always("other-url", url=url), outcome="bad_response", attempts=1, booked=(BILL,),
           detail="the address of the audio was refused")
      for url in ("http://169.254.169.254/latest/meta-data/", "http://localhost:1/x.wav", "file:///etc/passwd",
                  "https://evil.example/x.wav")),
    case(22, "a redirect of the call", "redirect", outcome="bad_response", attempts=3, booked=(None,) * 3),
    case(22, "a redirect of the audio", always("redirect", on="audio"), outcome="bad_response", attempts=1,
         booked=(BILL,)),
    case(26, "a gzip bomb", always("gzip-bomb", megabytes=64), outcome="too_large", attempts=1, booked=(None,),
         settings=SMALL),
    case(26, "audio as a gzip bomb", always("gzip-bomb", on="audio", megabytes=64), outcome="too_large", attempts=1,
         booked=(BILL,), settings=SMALL),
    case(26, "audio without end", always("endless", on="audio"), outcome="too_large", attempts=1, booked=(BILL,),
         settings=SMALL),
    case(27, "a stream cut off", "stream-cut", outcome="truncated_audio", attempts=1, booked=(None,), **STREAM),
    case(27, "a stream without its end", "stream-no-end", outcome="truncated_audio", attempts=1, booked=(None,),
         **STREAM),
    case(27, "events out of order", "stream-swapped", outcome="truncated_audio", attempts=1, booked=(None,),
         request={"stream": True, "text": LONG}, detail="event 1 came after event 2"),
    case(27, "the end before the audio", "stream-swapped", outcome="ok", attempts=1, booked=(BILL,), **STREAM),
    case(27, "an event twice", "stream-stutter", outcome="ok", attempts=1, booked=(BILL,),
         facts={"repeated_events": 1}, **STREAM),
    case(27, "an error event in the middle", "stream-error-event", outcome="rate_limited", attempts=1, booked=(None,),
         **STREAM),
    case(27, "a bare error in the middle", "stream-error-data", outcome="rate_limited", attempts=1, booked=(None,),
         **STREAM),
    *(case(27, f"harmless: {name}", name, outcome="ok", attempts=1, booked=(BILL,), **STREAM)
      for name in ("stream-bytewise", "stream-crlf", "stream-multiline", "stream-no-last-blank")),
    case(1, "a handshake refused for a while", once("rate-quota", retry_after="2"), outcome="ok", attempts=2,
         waits_s=(2.0, 2.5), **REALTIME),
    case(5, "a handshake refused throughout", "unavailable", outcome="overloaded", attempts=3, **REALTIME),
    case(8, "a handshake with a bad key", "bad-key", outcome="auth", attempts=1, **REALTIME),
    case(11, "a handshake that is reset", "reset-before", outcome="unknown_outcome", attempts=1, **REALTIME),
    case(27, "a conversation cut off", "stream-cut", outcome="truncated_audio", attempts=1, **REALTIME),
    case(27, "a conversation without its end", "stream-no-end", outcome="truncated_audio", attempts=1, **REALTIME),
    case(27, "an error in a conversation", "stream-error-event", outcome="overloaded", attempts=1, **REALTIME),
    case(29, "the reply to another request", "other-request-id", outcome="ok", attempts=1, booked=(BILL,),
         facts={"audio_id_differs": True}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_a_fault_is_one_outcome_a_number_of_attempts_and_a_cost(case: Case, tmp_path: Path) -> None:
    async with a_qwen_bench(case, tmp_path) as bench:
        began_s = bench.clock.monotonic()
        exchange = await bench.ask(request_of(case))
        waited_s = bench.clock.monotonic() - began_s
        billed = bench.standin.account.meter()["total"].get("characters", 0) * 10

    assert exchange.outcome in case.outcome.split("|"), exchange.result
    assert exchange.attempts == case.attempts
    assert case.booked is None or tuple(bench.till.amounts) == case.booked
    assert len(bench.till.settled) == len(bench.till.admitted) == exchange.attempts
    assert case.booked is None or billed <= bench.booked() == exchange.cost.microusd
    assert case.waits_s is None or case.waits_s[0] <= waited_s <= case.waits_s[1]
    assert exchange.facts.items() >= case.facts.items()
    assert not isinstance(exchange.result, Failure) or case.detail in exchange.result.detail


HEALTHY = Case(row=0, faults=(), outcome="ok", attempts=1)


async def test_f04_a_burst_of_500_ends_within_the_budget_of_retries(tmp_path: Path) -> None:
    case = Case(row=4, faults=(always("internal-error"),), outcome="overloaded", attempts=3)
    requests = [request_of(case, text=f"Good morning number {each}.") for each in range(40)]
    async with a_qwen_bench(case, tmp_path) as bench:
        exchanges = [await bench.ask(request) for request in requests]
        seen = bench.standin.account.meter()["requests"][f"POST /api/v1/services/aigc/multimodal-generation{SPEAK[1:]}"]

    assert {exchange.outcome for exchange in exchanges} == {"overloaded"}
    assert seen == {"500": sum(exchange.attempts for exchange in exchanges)}
    assert seen["500"] <= 1.2 * len(requests) + 3
    assert all(exchange.attempts == 1 + len(_failed(exchange.facts)) for exchange in exchanges)
    assert sum(exchange.facts.get("retry_budget") == "used up" for exchange in exchanges) >= 28


async def test_f04_five_of_eight_that_fail_leave_three_and_every_attempt_on_record(tmp_path: Path) -> None:
    case = Case(row=4, faults=(once("internal-error", times=5),), outcome="ok", attempts=1)
    async with a_qwen_bench(case, tmp_path) as bench:
        exchanges = [await bench.ask(request_of(case)) for _ in range(4)]

    # Of five failures three were tried again, which used up the reserve: the fourth retry was not made.
    assert [(exchange.outcome, exchange.attempts, len(_failed(exchange.facts))) for exchange in exchanges] == [
        ("overloaded", 3, 2),
        ("overloaded", 2, 1),
        ("ok", 1, 0),
        ("ok", 1, 0),
    ]
    assert [exchange.facts.get("retry_budget") for exchange in exchanges] == [None, "used up", None, None]


async def test_f10_a_connection_that_never_comes_about_was_never_sent_and_costs_nothing(tmp_path: Path) -> None:
    case = Case(row=10, faults=(), outcome="timeout_connect", attempts=3, settings={"connect_timeout_s": 0.1})
    async with nothing_left(), a_black_hole() as address:
        provider = open_provider("qwen", address, tmp_path, clock=FakeClock(), **case.settings)
        till = Till()
        async with provider:
            exchange = await provider.synthesize(
                request_of(case), admission=till, deadline=Deadline(VirtualClock(), 10.0)
            )

    assert (exchange.outcome, exchange.attempts, till.amounts) == ("timeout_connect", 3, [0, 0, 0])


async def test_f19_a_request_id_that_two_replies_share_merges_neither_audio_nor_cost(tmp_path: Path) -> None:
    case = Case(row=19, faults=(always("other-request-id"),), outcome="ok", attempts=1)
    async with a_qwen_bench(case, tmp_path) as bench:
        exchanges = [await bench.ask(request_of(case, text=text)) for text in ("Good morning.", "Good evening.")]

    assert [exchange.cost.microusd for exchange in exchanges] == [BILL, BILL]
    assert len({exchange.provider_request_id for exchange in exchanges}) == 1
    assert len({exchange.result.audio for exchange in exchanges if isinstance(exchange.result, Speech)}) == 2
    assert all(exchange.facts["audio_id_differs"] is True for exchange in exchanges)


@pytest.mark.parametrize("url", ["http://169.254.169.254/x.wav", "http://127.0.0.1:1/x.wav", "https://localhost/x.wav"])
async def test_f21_an_address_inside_costs_no_connection(tmp_path: Path, url: str) -> None:
    case = Case(row=21, faults=(always("other-url", url=url),), outcome="bad_response", attempts=1)
    async with a_qwen_bench(case, tmp_path) as bench:
        with connections() as made:
            exchange = await bench.ask(request_of(case))

    port = bench.standin.base_url.rpartition(":")[2]
    assert exchange.outcome == "bad_response"
    assert _ports(made) == {int(port)}


@pytest.mark.parametrize("side", ["api", "audio"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_f22_no_redirect_leads_the_key_elsewhere(tmp_path: Path, side: str, status: int) -> None:
    async with a_server(sends(b"got you")) as elsewhere:
        redirect = always("redirect", on=side, status=status, location=f"{elsewhere.url}/x")
        case = Case(row=22, faults=(redirect,), outcome="bad_response", attempts=1)
        async with a_qwen_bench(case, tmp_path) as bench:
            exchange = await bench.ask(request_of(case))

    assert (exchange.outcome, exchange.redirect_hops) == ("bad_response", 0)
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        pytest.param(socket.gaierror(socket.EAI_NONAME, "no such name"), "dns", id="NXDOMAIN"),
        pytest.param(socket.gaierror(socket.EAI_AGAIN, "try again"), "dns", id="SERVFAIL"),
        pytest.param(None, "timeout_connect", id="slow"),
    ],
)
async def test_f25_a_name_that_does_not_resolve_is_tried_again_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: OSError | None, outcome: str
) -> None:
    asked: list[str] = []

    async def resolve(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        if trouble is not None:
            raise trouble
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    till = Till()
    async with nothing_left():
        provider = open_provider(
            "qwen", "https://dashscope.invalid", tmp_path, clock=FakeClock(), connect_timeout_s=0.05
        )
        async with provider:
            exchange = await provider.synthesize(
                request_of(HEALTHY), admission=till, deadline=Deadline(VirtualClock(), 5.0)
            )

    assert (exchange.outcome, exchange.attempts, till.amounts) == (outcome, 3, [0, 0, 0])
    assert set(asked) == {"dashscope.invalid"}


class Jumping(FakeClock):
    """A wall clock that somebody sets back and forth by an hour; what is monotonic stays so."""

    def __init__(self) -> None:
        super().__init__()
        self._times = 0

    def now(self) -> datetime:
        self._times += 1
        return super().now() + timedelta(hours=1 if self._times % 2 else -1)


async def test_f30_a_wall_clock_that_jumps_disturbs_neither_waits_nor_durations(tmp_path: Path) -> None:
    clock = Jumping()
    case = Case(row=30, faults=(once("rate-quota", retry_after="2"),), outcome="ok", attempts=2)
    async with a_qwen_bench(case, tmp_path, clock=clock) as bench:
        exchange = await bench.ask(request_of(case))

    assert (exchange.outcome, exchange.attempts) == ("ok", 2)
    assert 2.0 <= exchange.timing.service_s <= 2.5
    assert exchange.timing.first_byte_s is not None
    assert 0.0 <= exchange.timing.first_byte_s <= 2.5


async def test_f52_without_a_price_nothing_goes_out_under_a_budget(tmp_path: Path) -> None:
    case = Case(row=52, faults=(), outcome="budget", attempts=0, settings={"region": "nowhere"})
    async with a_qwen_bench(case, tmp_path) as bench:
        refused = await bench.ask(request_of(case), till=PricedOnly())
        unaccounted = await bench.ask(request_of(case))
        seen = bench.standin.account.meter()["requests"]

    assert bench.provider.worst_microusd(request_of(case)) is None
    assert (refused.outcome, refused.attempts) == ("budget", 0)
    assert (unaccounted.outcome, unaccounted.cost.microusd) == ("ok", None)  # unknown, and never 0
    assert sum(sum(statuses.values()) for path, statuses in seen.items() if path.startswith("POST")) == 1


class PricedOnly(Till):
    """An admission that lets out only what it knows the price of, as one with a budget does."""

    async def admit(self, call: PaidCall) -> None:
        if call.worst_microusd is None:
            raise BudgetExceeded("a price is unknown")
        await super().admit(call)


@asynccontextmanager
async def a_black_hole() -> AsyncIterator[str]:
    """An address whose backlog is full, so that the kernel lets further attempts to connect hang."""
    with socket.socket() as server, ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        await VirtualClock().sleep(0.05)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _failed(facts: Any) -> list[str]:
    found: list[str] = facts.get("failed_attempts", [])
    return found


def _ports(made: list[Any]) -> set[int]:
    """Of the connections among these events."""
    return {arguments[0][1] for event, arguments in made if event == "socket.connect"}
