from harness.clock import FakeClock
from harness.emulators.throttle import TokenBucket


def test_a_minutes_worth_may_come_at_once_and_no_more() -> None:
    bucket = TokenBucket(3, time_scale=1.0, clock=FakeClock())

    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]


def test_it_fills_up_evenly_in_the_services_own_time() -> None:
    clock = FakeClock()
    bucket = TokenBucket(60, time_scale=0.01, clock=clock)
    while bucket.take():
        pass

    clock.advance(0.02)

    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_it_never_holds_more_than_a_minutes_worth() -> None:
    clock = FakeClock()
    bucket = TokenBucket(2, time_scale=1.0, clock=clock)

    clock.advance(3_600.0)

    assert [bucket.take() for _ in range(3)] == [True, True, False]
