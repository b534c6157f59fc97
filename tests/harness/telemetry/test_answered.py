from harness.exchanges import Lane
from tests.harness.telemetry.answers import a_call, an_answer


def test_what_all_calls_cost_is_unknown_as_soon_as_one_is() -> None:
    priced, unpriced = a_call(cost_microusd=5), a_call(Lane.CANDIDATE, cost_microusd=None)

    assert an_answer(calls=(priced, priced)).cost_microusd == 10
    assert an_answer(calls=(priced, unpriced)).cost_microusd is None
    assert an_answer(calls=()).cost_microusd == 0


def test_the_last_call_answered_and_all_of_them_were_attempts() -> None:
    first, last = a_call(Lane.CANDIDATE, attempts=2), a_call(attempts=1)

    answered = an_answer(calls=(first, last))

    assert answered.answered_by == last.exchange
    assert answered.attempts == 3
    assert an_answer(calls=()).answered_by is None
