import random
from datetime import UTC, datetime, timedelta

import pytest

from harness.errors import KINDS, Charge, ErrorKind
from harness.exchanges import Failure
from harness.providers.retry import Advice, RetryPolicy, advice_in, retry_after_s

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def failed(kind: ErrorKind) -> Failure:
    return Failure(kind=kind, code=None, detail="it failed")


@pytest.fixture
def policy() -> RetryPolicy:
    return RetryPolicy(max_attempts=4, random=random.Random(7))


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_kind_is_tried_again_exactly_when_its_facts_say_so(policy: RetryPolicy, kind: ErrorKind) -> None:
    wait_s = policy.wait_s(failed(kind), attempt=1, left_s=100.0)

    assert (wait_s is not None) == KINDS[kind].retriable


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if KINDS[kind].retriable])
def test_a_creation_is_tried_again_only_when_it_surely_made_nothing(policy: RetryPolicy, kind: ErrorKind) -> None:
    sent = policy.wait_s(failed(kind), attempt=1, left_s=100.0, creation=True)
    unsent = policy.wait_s(failed(kind), attempt=1, left_s=100.0, creation=True, sent=False)

    assert (sent is not None) == (KINDS[kind].charge is Charge.NOTHING)
    assert unsent is not None


def test_the_last_attempt_is_the_last(policy: RetryPolicy) -> None:
    waits = [policy.wait_s(failed(ErrorKind.OVERLOADED), attempt=attempt, left_s=100.0) for attempt in (3, 4, 5)]

    assert [wait is None for wait in waits] == [False, True, True]


def test_waits_are_spread_from_zero_to_a_bound_that_doubles(policy: RetryPolicy) -> None:
    for attempt, bound in ((1, 0.5), (2, 1.0), (3, 2.0)):
        waits = [policy.wait_s(failed(ErrorKind.OVERLOADED), attempt=attempt, left_s=100.0) for _ in range(400)]

        spread = sorted(wait for wait in waits if wait is not None)
        assert len(spread) == 400
        assert 0 <= spread[0] < bound * 0.05
        assert bound * 0.95 < spread[-1] <= bound


def test_the_bound_stops_growing_at_the_cap() -> None:
    policy = RetryPolicy(max_attempts=50, random=random.Random(1))

    waits = [policy.wait_s(failed(ErrorKind.RATE_LIMITED), attempt=40, left_s=1e9) for _ in range(400)]

    assert 55 < max(wait for wait in waits if wait is not None) <= 60


def test_a_throttled_call_stays_away_longer_than_a_failed_one() -> None:
    policy = RetryPolicy(max_attempts=4, random=random.Random(1))

    def mean(kind: ErrorKind) -> float:
        return sum(policy.wait_s(failed(kind), attempt=1, left_s=100.0) or 0.0 for _ in range(400)) / 400

    assert mean(ErrorKind.RATE_LIMITED) > 4 * mean(ErrorKind.OVERLOADED)


def test_a_named_time_is_kept_and_never_undercut(policy: RetryPolicy) -> None:
    throttled, named = failed(ErrorKind.RATE_LIMITED), Advice(after_s=2.0)

    waits = [policy.wait_s(throttled, attempt=1, left_s=100.0, advice=named) for _ in range(100)]

    assert all(wait is not None and 2.0 <= wait <= 2.5 for wait in waits)


def test_a_named_time_beyond_the_cap_means_giving_up_rather_than_hanging(policy: RetryPolicy) -> None:
    assert policy.wait_s(failed(ErrorKind.RATE_LIMITED), attempt=1, left_s=1e12, advice=Advice(after_s=1e9)) is None


def test_a_wait_that_would_outlive_the_deadline_is_not_begun(policy: RetryPolicy) -> None:
    assert policy.wait_s(failed(ErrorKind.RATE_LIMITED), attempt=1, left_s=1.9, advice=Advice(after_s=2.0)) is None
    assert policy.wait_s(failed(ErrorKind.OVERLOADED), attempt=1, left_s=0.0) is None


def test_a_free_call_is_tried_again_even_where_a_paid_one_is_not(policy: RetryPolicy) -> None:
    assert policy.free_wait_s(failed(ErrorKind.URL_EXPIRED), attempt=1, left_s=9.0) is not None
    assert policy.free_wait_s(failed(ErrorKind.UNKNOWN_OUTCOME), attempt=1, left_s=9.0) is not None
    assert policy.free_wait_s(failed(ErrorKind.TOO_LARGE), attempt=1, left_s=9.0) is None
    assert policy.free_wait_s(failed(ErrorKind.URL_EXPIRED), attempt=4, left_s=9.0) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after": "2"}, 2.0, id="seconds"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="part of a second"),
        pytest.param({"retry-after-ms": "250"}, 0.25, id="milliseconds"),
        pytest.param({"retry-after-ms": "250", "retry-after": "9"}, 0.25, id="milliseconds come first"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "9"}, 9.0, id="unusable milliseconds"),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0, id="date"),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 12:00:30 -0000"}, 30.0, id="date without a zone"),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 13:00:30 +0100"}, 30.0, id="date of another zone"),
        pytest.param({"retry-after": "1000000000"}, 1e9, id="thirty years"),
        pytest.param({"retry-after": "0"}, 0.0, id="at once"),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 11:59:00 GMT"}, None, id="date in the past"),
        pytest.param({"retry-after": "Monday, 23-Nov-26 12:00:30 GMT"}, 30.0, id="date as RFC 850 writes it"),
        pytest.param({"retry-after": "Mon Nov 23 12:00:30 2026"}, 30.0, id="date as asctime writes it"),
        pytest.param({"retry-after": " 2 "}, 2.0, id="blanks around it"),
        pytest.param({"retry-after": "1_0"}, None, id="Python's own spelling of ten"),
        pytest.param({"retry-after": "٢"}, None, id="a digit of another script"),
        pytest.param({"retry-after": "1e3"}, None, id="an exponent"),
        pytest.param({"retry-after": "9" * 400}, None, id="hundreds of digits"),
        pytest.param({"retry-after": "2, 5"}, None, id="sent twice"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "nan"}, None, id="not a number"),
        pytest.param({"retry-after": "inf"}, None, id="for ever"),
        pytest.param({"retry-after": "soon"}, None, id="garbage"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after": "Mon, 99 Nov 2026 12:00:30 GMT"}, None, id="no date"),
        pytest.param({}, None, id="absent"),
    ],
)
def test_retry_after_is_read_or_ignored(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOON) == seconds


def test_a_date_is_measured_against_the_given_clock() -> None:
    headers = {"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}

    assert retry_after_s(headers, NOON + timedelta(seconds=20)) == 10.0


@pytest.mark.parametrize(
    ("value", "wanted"), [("true", True), ("False", False), (" true ", True), ("maybe", None), ("", None)]
)
def test_whether_the_provider_wants_another_attempt_is_read_or_ignored(value: str, wanted: bool | None) -> None:
    assert advice_in({"x-should-retry": value, "retry-after": "3"}, NOON) == Advice(after_s=3.0, wanted=wanted)
    assert advice_in({}, NOON) == Advice()


@pytest.mark.parametrize(
    ("kind", "wanted", "retried"),
    [
        pytest.param(ErrorKind.OVERLOADED, False, False, id="a retry that would have been made is not wanted"),
        pytest.param(ErrorKind.OVERLOADED, True, True, id="what would be tried again anyway"),
        pytest.param(ErrorKind.BAD_REQUEST, True, True, id="a refusal that is to be tried again"),
        pytest.param(ErrorKind.BAD_REQUEST, None, False, id="a refusal without advice"),
        pytest.param(ErrorKind.BILLING, True, False, id="a bill is not paid by asking again"),
        pytest.param(ErrorKind.AUTH, True, False, id="nor is a key mended"),
    ],
)
def test_the_providers_own_word_on_a_retry_counts(
    policy: RetryPolicy, kind: ErrorKind, wanted: bool | None, retried: bool
) -> None:
    wait_s = policy.wait_s(failed(kind), attempt=1, left_s=100.0, advice=Advice(wanted=wanted))

    assert (wait_s is not None) == retried


def test_no_advice_makes_a_creation_that_may_have_happened_happen_again(policy: RetryPolicy) -> None:
    wished = Advice(wanted=True)

    assert policy.wait_s(failed(ErrorKind.OVERLOADED), attempt=1, left_s=99.0, advice=wished, creation=True) is None
