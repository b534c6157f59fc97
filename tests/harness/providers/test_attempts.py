import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from harness.clock import FakeClock, SystemClock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Admission, Deadline, PaidCall
from harness.providers.retry import Advice, RetryPolicy
from tests.harness.providers.stubs import Till

Send = Callable[[], Awaitable[Answer[str]]]


def attempts_of(till: Admission, clock: FakeClock, *, seconds: float = 100.0, most: int = 3) -> Attempts:
    return Attempts(
        "qwen",
        admission=till,
        deadline=Deadline(clock, seconds),
        policy=RetryPolicy(max_attempts=most, random=Random(1)),
        clock=clock,
    )


def failed(kind: ErrorKind) -> Failure:
    return Failure(kind=kind, code="Code", detail="it failed")


def answering(*answers: Answer[str], clock: FakeClock | None = None, taking_s: float = 0.0) -> Send:
    left = list(answers)

    async def send() -> Answer[str]:
        if clock:
            await clock.sleep(taking_s)
        return left.pop(0) if len(left) > 1 else left[0]

    return send


DONE: Answer[str] = Answer(result="audio", microusd=70, basis="reported characters")
OVERLOADED: Answer[str] = Answer(result=failed(ErrorKind.OVERLOADED))
THROTTLED: Answer[str] = Answer(result=failed(ErrorKind.RATE_LIMITED), advice=Advice(after_s=2.0))


async def test_a_call_is_admitted_then_sent_then_settled_at_its_exact_cost(clock: FakeClock) -> None:
    till = Till()
    attempts = attempts_of(till, clock)

    result = await attempts.pay("speak", answering(DONE), worst_microusd=100)

    call = PaidCall(provider="qwen", purpose="speak", attempt=1, worst_microusd=100)
    assert result == "audio"
    assert till.admitted == [call]
    assert till.settled == [(call, 70)]
    assert attempts.cost("v1").microusd == 70
    assert attempts.cost("v1").basis == "reported characters; prices v1"


async def test_every_retry_is_admitted_and_settled_for_itself(clock: FakeClock) -> None:
    till = Till()
    attempts = attempts_of(till, clock)

    result = await attempts.pay("speak", answering(THROTTLED, OVERLOADED, DONE), worst_microusd=100)

    assert result == "audio"
    assert [call.attempt for call in till.admitted] == [1, 2, 3]
    assert till.amounts == [0, None, 70]
    assert attempts.failed == ["rate_limited", "overloaded"]
    assert attempts.count == 3
    assert attempts.unsettled == 1
    assert attempts.cost("v1").microusd == 0 + 100 + 70
    assert attempts.cost("v1").basis == "not billed, worst case, reported characters; prices v1"


async def test_a_failure_that_no_retry_helps_ends_at_once(clock: FakeClock) -> None:
    till = Till()
    attempts = attempts_of(till, clock)

    result = await attempts.pay("speak", answering(Answer(result=failed(ErrorKind.AUTH))), worst_microusd=100)

    assert result == failed(ErrorKind.AUTH)
    assert till.amounts == [0]
    assert attempts.failed == []


async def test_attempts_end_when_they_are_used_up(clock: FakeClock) -> None:
    till = Till()

    result = await attempts_of(till, clock).pay("speak", answering(OVERLOADED), worst_microusd=100)

    assert result == OVERLOADED.result
    assert till.amounts == [None, None, None]


async def test_a_named_wait_is_kept_before_the_next_attempt(clock: FakeClock) -> None:
    sent_s: list[float] = []

    async def send() -> Answer[str]:
        sent_s.append(clock.monotonic())
        return DONE if len(sent_s) > 1 else THROTTLED

    await attempts_of(Till(), clock).pay("speak", send, worst_microusd=100)

    assert 2.0 <= sent_s[1] - sent_s[0] <= 2.5


@pytest.mark.parametrize(
    ("answer", "amount"),
    [
        pytest.param(Answer(result=failed(ErrorKind.BAD_REQUEST)), 0, id="refused before any work"),
        pytest.param(Answer(result=failed(ErrorKind.TIMEOUT_READ)), None, id="perhaps billed"),
        pytest.param(Answer(result=failed(ErrorKind.UNKNOWN_OUTCOME)), None, id="never heard of again"),
        pytest.param(Answer(result=failed(ErrorKind.TIMEOUT_TOTAL), sent=False), 0, id="never sent"),
        pytest.param(Answer(result=failed(ErrorKind.DNS), began=True), None, id="work begun, then lost"),
        pytest.param(Answer(result=failed(ErrorKind.OVERLOADED), microusd=5, basis="wall"), 5, id="known all the same"),
        pytest.param(Answer(result="audio"), None, id="done at an unknown price"),
    ],
)
async def test_what_is_settled_follows_from_what_is_known(
    clock: FakeClock, answer: Answer[str], amount: int | None
) -> None:
    till = Till()

    await attempts_of(till, clock, most=1).pay("speak", answering(answer), worst_microusd=100)

    assert till.amounts == [amount]


async def test_an_unknown_price_makes_the_whole_cost_unknown(clock: FakeClock) -> None:
    attempts = attempts_of(Till(), clock)

    await attempts.pay("clone", answering(DONE), worst_microusd=100)
    await attempts.pay("speak", answering(Answer(result="audio")), worst_microusd=None)

    assert attempts.cost("v1").microusd is None
    assert attempts.cost("v1").basis == "unknown price"


async def test_without_a_call_nothing_was_spent(clock: FakeClock) -> None:
    cost = attempts_of(Till(), clock).cost("v1")

    assert (cost.microusd, cost.basis) == (0, "nothing was sent")


async def test_calls_of_one_request_are_numbered_through(clock: FakeClock) -> None:
    till = Till()
    attempts = attempts_of(till, clock)

    await attempts.pay("clone", answering(THROTTLED, DONE), worst_microusd=10_000, creation=True)
    await attempts.pay("speak", answering(OVERLOADED, DONE), worst_microusd=100)

    assert [(call.purpose, call.attempt) for call in till.admitted] == [
        ("clone", 1),
        ("clone", 2),
        ("speak", 3),
        ("speak", 4),
    ]


@pytest.mark.parametrize("kind", [ErrorKind.TIMEOUT_READ, ErrorKind.CONN_RESET, ErrorKind.OVERLOADED])
async def test_a_creation_whose_outcome_is_unsure_is_never_sent_again(clock: FakeClock, kind: ErrorKind) -> None:
    till = Till()

    await attempts_of(till, clock).pay(
        "clone", answering(Answer(result=failed(kind))), worst_microusd=10_000, creation=True
    )

    assert till.amounts == [None]


async def test_a_spent_budget_is_a_failure_and_nothing_is_sent(clock: FakeClock) -> None:
    async def send() -> Answer[str]:
        raise AssertionError

    attempts = attempts_of(Till(calls=0), clock)

    result = await attempts.pay("speak", send, worst_microusd=100)

    assert isinstance(result, Failure)
    assert result.kind is ErrorKind.BUDGET
    assert "--budget" in result.detail
    assert attempts.count == 0


async def test_a_retry_that_the_budget_refuses_leaves_the_outcome_as_it_was(clock: FakeClock) -> None:
    till = Till(calls=1)

    result = await attempts_of(till, clock).pay("speak", answering(OVERLOADED), worst_microusd=100)

    assert result == OVERLOADED.result
    assert till.amounts == [None]


async def test_waiting_too_long_for_our_own_quota_is_not_blamed_on_the_provider(clock: FakeClock) -> None:
    class Full(Till):
        async def admit(self, call: PaidCall) -> None:
            await asyncio.Event().wait()

    result = await attempts_of(Full(), clock, seconds=0.02).pay("speak", answering(DONE), worst_microusd=100)

    assert isinstance(result, Failure)
    assert (result.kind, result.code) == (ErrorKind.RATE_LIMITED, "local.quota")


async def test_no_retry_outlives_the_deadline(clock: FakeClock) -> None:
    till = Till()
    attempts = attempts_of(till, clock, seconds=1.0)

    result = await attempts.pay("speak", answering(THROTTLED), worst_microusd=100)

    assert result == THROTTLED.result
    assert clock.monotonic() == 0.0
    assert len(till.admitted) == 1


async def test_cancellation_settles_the_call_under_way_and_passes_through(clock: FakeClock) -> None:
    till = Till()
    attempts = attempts_of(till, clock)
    began = asyncio.Event()

    async def send() -> Answer[str]:
        began.set()
        await asyncio.Event().wait()
        return DONE

    async with asyncio.TaskGroup() as group:
        task = group.create_task(attempts.pay("speak", send, worst_microusd=100))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert till.amounts == [None]
    assert attempts.cost("v1").microusd == 100


async def test_a_fault_of_our_own_settles_the_call_and_is_not_hidden(clock: FakeClock) -> None:
    till = Till()

    async def send() -> Answer[str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempts_of(till, clock).pay("speak", send, worst_microusd=100)

    assert till.amounts == [None]


async def test_service_time_begins_when_the_first_call_is_admitted_and_ends_with_the_last(clock: FakeClock) -> None:
    class Slow(Till):
        async def admit(self, call: PaidCall) -> None:
            await clock.sleep(10.0)
            await super().admit(call)

    attempts = attempts_of(Slow(), clock)

    await attempts.pay("clone", answering(DONE, clock=clock, taking_s=3.0), worst_microusd=100)
    after_one = attempts.service_s
    await attempts.pay("speak", answering(DONE, clock=clock, taking_s=2.0), worst_microusd=100)
    await attempts.fetch(answering(DONE, clock=clock, taking_s=0.5))
    await clock.sleep(60.0)

    assert after_one == 3.0
    assert attempts.service_s == 3.0 + 10.0 + 2.0 + 0.5  # waiting to be admitted again is part of it
    assert (attempts.sent_at - FakeClock().now()).total_seconds() == 10.0


async def test_a_free_call_is_repeated_without_admission(clock: FakeClock) -> None:
    till = Till()
    attempts = attempts_of(till, clock)

    result = await attempts.fetch(answering(Answer(result=failed(ErrorKind.URL_EXPIRED)), OVERLOADED, DONE))

    assert result == "audio"
    assert till.admitted == []
    assert attempts.count == 0


async def test_a_free_call_ends_too(clock: FakeClock) -> None:
    calls: list[int] = []

    async def send() -> Answer[str]:
        calls.append(1)
        return OVERLOADED

    result = await attempts_of(Till(), clock).fetch(send)

    assert result == OVERLOADED.result
    assert len(calls) == 3


async def test_failed_calls_are_logged_with_kind_and_code(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    await attempts_of(Till(), clock, most=1).pay("speak", answering(OVERLOADED), worst_microusd=100)

    (record,) = caplog.records
    assert record.getMessage() == "provider call failed"
    assert {key: vars(record)[key] for key in ("provider", "purpose", "attempt", "kind", "code")} == {
        "provider": "qwen",
        "purpose": "speak",
        "attempt": 1,
        "kind": "overloaded",
        "code": "Code",
    }


async def test_concurrent_requests_do_not_share_their_counts(clock: FakeClock) -> None:
    till = Till()
    one, other = attempts_of(till, clock), attempts_of(Till(), clock)

    async with asyncio.TaskGroup() as group:
        group.create_task(one.pay("speak", answering(OVERLOADED, DONE), worst_microusd=100))
        group.create_task(other.pay("speak", answering(DONE), worst_microusd=100))

    assert (one.count, other.count) == (2, 1)


def test_the_system_clock_fits_too() -> None:
    attempts = Attempts(
        "modal",
        admission=Till(),
        deadline=Deadline(SystemClock(), 1.0),
        policy=RetryPolicy(max_attempts=1),
        clock=SystemClock(),
    )

    assert attempts.service_s == 0.0


async def test_speech_that_was_heard_in_part_is_not_said_again_and_stays_at_its_worst_cost(clock: FakeClock) -> None:
    till = Till()
    throttled: Answer[str] = Answer(result=failed(ErrorKind.RATE_LIMITED), heard=True)

    result = await attempts_of(till, clock).pay("speak", answering(throttled, DONE), worst_microusd=100)

    assert result == throttled.result
    assert till.amounts == [None]


async def test_all_requests_share_one_budget_of_retries(clock: FakeClock) -> None:
    policy = RetryPolicy(max_attempts=3, random=Random(1))
    made = [
        Attempts("qwen", admission=Till(), deadline=Deadline(clock, 1e6), policy=policy, clock=clock) for _ in range(50)
    ]

    await asyncio.gather(*(attempts.pay("speak", answering(OVERLOADED), worst_microusd=1) for attempts in made))

    assert sum(attempts.count for attempts in made) == 50 + 50 // 5 + 3
    refused = [attempts for attempts in made if attempts.retries_refused]
    assert len(refused) >= 40
    assert all(attempts.count < 3 for attempts in refused)
