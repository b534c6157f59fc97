import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings
from replay.budget import Budget
from replay.quota import Quota
from replay.tally import Tally


@pytest.fixture
def quota() -> Quota:
    return Quota(QuotaSettings(), clock=FakeClock())


def test_a_calm_run_says_what_is_under_way_and_spent(quota: Quota) -> None:
    tally = Tally(Budget(10**9, spent={"qwen": 1_250_000}), [quota])

    tally.in_flight = 7
    tally.answered("ok")

    assert tally.line() == "7 in flight, none failed, $1.25 spent"


def test_failures_are_told_by_kind_and_waiting_for_our_own_quota_apart(quota: Quota) -> None:
    tally = Tally(Budget(10**9), [quota, quota])
    for outcome in ("timeout_read", "rate_limited", "ok", "rate_limited"):
        tally.answered(outcome)
    quota.waiting, quota.waited_s = 2, 30.4

    assert tally.line() == (
        "0 in flight, failed: 2 rate_limited, 1 timeout_read, $0.00 spent, 4 wait for quota (61 s so far)"
    )
