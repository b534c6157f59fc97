from harness.clock import FakeClock
from harness.emulators.options import QwenOptions
from harness.emulators.quota import Excess, Quota, Ramp


def test_a_minutes_worth_may_come_at_once_by_default() -> None:
    quota = Quota(QwenOptions(requests_per_minute=3), FakeClock())

    assert [quota.excess("a") for _ in range(4)] == [None, None, None, Excess.RATE]
    assert quota.excess("b") is None


def test_a_limit_per_second_forbids_that() -> None:
    clock = FakeClock()
    quota = Quota(QwenOptions(requests_per_minute=180, requests_per_second=3, time_scale=1.0), clock)
    first = [quota.excess("a") for _ in range(4)]

    clock.advance(1.0)

    assert first == [None, None, None, Excess.RATE]
    assert [quota.excess("a") for _ in range(4)] == first


def test_a_steep_rise_is_a_burst_and_a_gentle_one_is_none() -> None:
    clock = FakeClock()
    ramp = Ramp(2.0, time_scale=1.0, clock=clock)
    taken = []
    for count in (10, 20, 40, 81):
        taken.append(sum(ramp.take() for _ in range(count)))
        clock.advance(10.0)

    assert taken == [10, 20, 40, 80]


def test_a_handful_after_a_silence_is_no_burst() -> None:
    ramp = Ramp(1.0, time_scale=1.0, clock=FakeClock())

    assert [ramp.take() for _ in range(11)] == [True] * 10 + [False]


def test_the_window_is_of_the_services_own_time() -> None:
    clock = FakeClock()
    ramp = Ramp(1.5, time_scale=0.01, clock=clock)
    for _ in range(10):
        ramp.take()

    clock.advance(0.1)

    assert sum(ramp.take() for _ in range(30)) == 15


def test_a_burst_is_named_before_the_minute_is_full() -> None:
    quota = Quota(QwenOptions(requests_per_minute=180, ramp_factor=2.0), FakeClock())

    assert [quota.excess("a") for _ in range(11)] == [None] * 10 + [Excess.BURST]


def test_a_reset_makes_every_quota_whole() -> None:
    quota = Quota(QwenOptions(requests_per_minute=1, requests_per_second=1, ramp_factor=9.0), FakeClock())
    before = [quota.excess("a") for _ in range(2)]

    quota.reset()

    assert before == [None, Excess.RATE]
    assert quota.excess("a") is None
