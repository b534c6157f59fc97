import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.routing.breaker import BreakerRules, Phase
from harness.routing.breakers import Breaker, BreakerChange, Breakers
from harness.speech import Operation

BAD = ErrorKind.OVERLOADED


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breakers(clock: FakeClock) -> Breakers:
    return Breakers(clock=clock, rules=BreakerRules())


def fail(breaker: Breaker, times: int) -> list[BreakerChange | None]:
    changes = []
    for _ in range(times):
        permit = breaker.ask_permit()
        assert permit is not None
        changes.append(breaker.record(permit, BAD))
    return changes


def test_an_opening_is_reported_once_where_it_happens(breakers: Breakers) -> None:
    breaker = breakers.of(Lane.CANDIDATE, Operation.GENERATE)

    assert fail(breaker, 3) == [None, None, BreakerChange.OPENED]
    assert breaker.ask_permit() is None
    assert not breaker.is_closed


def test_an_open_breaker_lets_one_probe_through_after_its_cooldown(breakers: Breakers, clock: FakeClock) -> None:
    breaker = breakers.of(Lane.CANDIDATE, Operation.GENERATE)
    fail(breaker, 3)

    clock.advance(30.0)

    assert [breaker.ask_permit() is not None, breaker.ask_permit() is not None] == [True, False]


def test_closing_is_reported_as_well(breakers: Breakers, clock: FakeClock) -> None:
    breaker = breakers.of(Lane.CANDIDATE, Operation.GENERATE)
    fail(breaker, 3)
    clock.advance(30.0)

    changes = []
    for _ in range(2):
        probe = breaker.ask_permit()
        assert probe is not None
        changes.append(breaker.record(probe, None))

    assert changes == [None, BreakerChange.CLOSED]
    assert breaker.is_closed


def test_a_released_probe_makes_room(breakers: Breakers, clock: FakeClock) -> None:
    breaker = breakers.of(Lane.CANDIDATE, Operation.GENERATE)
    fail(breaker, 3)
    clock.advance(30.0)
    probe = breaker.ask_permit()
    assert probe is not None

    breaker.release(probe)

    assert breaker.ask_permit() is not None


def test_lanes_and_operations_do_not_share_a_breaker(breakers: Breakers) -> None:
    fail(breakers.of(Lane.CANDIDATE, Operation.GENERATE), 3)

    assert breakers.of(Lane.CANDIDATE, Operation.CLONE).ask_permit() is not None
    assert breakers.of(Lane.CONTROL, Operation.GENERATE).ask_permit() is not None
    phases = {key: state.phase for key, state in breakers.states().items()}
    assert phases[Lane.CANDIDATE, Operation.GENERATE] is Phase.OPEN
    assert phases[Lane.CONTROL, Operation.GENERATE] is Phase.CLOSED


def test_legacy_has_more_patience(breakers: Breakers) -> None:
    breaker = breakers.of(Lane.CONTROL, Operation.GENERATE)

    assert fail(breaker, 5) == [None] * 5
