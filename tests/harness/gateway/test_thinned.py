import pytest

from harness.clock import FakeClock
from harness.exchanges import Lane
from harness.gateway.copies import ShadowCounts
from harness.gateway.thinned import Thinned
from tests.harness.gateway.copying import OfferedCopies, a_copy


@pytest.fixture
def behind() -> OfferedCopies:
    return OfferedCopies()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def offered(thinned: Thinned, clock: FakeClock, *, every_s: float, count: int) -> int:
    """How many of them were taken."""
    taken = 0
    for number in range(count):
        taken += thinned.offer(a_copy(f"r{number}"))
        clock.advance(every_s)
    return taken


@pytest.mark.parametrize("every_s", [0.01, 0.1, 0.4])
def test_so_many_a_second_are_taken_however_many_come(behind: OfferedCopies, clock: FakeClock, every_s: float) -> None:
    thinned = Thinned(behind, 0.5, clock=clock)
    offered(thinned, clock, every_s=0.0, count=1_000)  # what was saved is used up

    taken = offered(thinned, clock, every_s=every_s, count=round(100 / every_s))

    assert taken == pytest.approx(50, abs=1)


def test_little_traffic_is_taken_whole_also_when_it_comes_at_once(behind: OfferedCopies, clock: FakeClock) -> None:
    thinned = Thinned(behind, 1.0, clock=clock)

    for _ in range(4):
        assert offered(thinned, clock, every_s=0.0, count=250) == 250
        clock.advance(250.0)


def test_no_more_is_saved_than_five_minutes_hold(behind: OfferedCopies, clock: FakeClock) -> None:
    thinned = Thinned(behind, 1.0, clock=clock)
    clock.advance(86_400.0)

    assert offered(thinned, clock, every_s=0.0, count=1_000) == 301


def test_a_probe_is_always_taken_and_uses_up_no_turn(behind: OfferedCopies, clock: FakeClock) -> None:
    thinned = Thinned(behind, 1.0, clock=clock)
    offered(thinned, clock, every_s=0.0, count=1_000)

    probes = [thinned.offer(a_copy("p", done=lambda _: None)) for _ in range(10)]
    clock.advance(1.0)

    assert probes == [True] * 10
    assert thinned.offer(a_copy("next"))


def test_every_copy_is_counted_once(behind: OfferedCopies, clock: FakeClock) -> None:
    thinned = Thinned(behind, 1.0, clock=clock)
    behind.room = 200

    offered(thinned, clock, every_s=0.0, count=1_000)

    assert thinned.counts == ShadowCounts(offered=1_000, thinned=699, dropped=101)


def test_all_else_is_asked_of_the_copies_behind_it(behind: OfferedCopies, clock: FakeClock) -> None:
    thinned = Thinned(behind, 1.0, clock=clock)
    offered(thinned, clock, every_s=0.0, count=3)

    thinned.note_throttled(Lane.CANDIDATE)

    assert behind.throttled == [Lane.CANDIDATE]
    assert (thinned.waiting, thinned.spent_microusd) == (3, 3_000)
    assert (Lane.CANDIDATE in thinned, Lane.REPEAT in thinned) == (True, False)
