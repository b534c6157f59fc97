import pytest

from harness.clock import FakeClock
from harness.emulators.latency import deployment
from harness.emulators.modal_containers import Containers
from harness.emulators.options import ModalOptions


def some_containers(clock: FakeClock, **options: float) -> Containers:
    chosen = ModalOptions(**{"time_scale": 1.0, **options})  # type: ignore[arg-type] # values are what the tests give
    return Containers(chosen, deployment(chosen.model), clock=clock)


def test_the_first_call_waits_for_a_cold_start() -> None:
    clock = FakeClock()

    place = some_containers(clock).admit(10.0)

    assert place.waited_for_start
    assert 10 + 68 <= place.due_s <= 10 + 108


def test_who_comes_during_the_start_waits_for_it_too_and_no_longer() -> None:
    clock = FakeClock()
    containers = some_containers(clock)
    first = containers.admit(10.0)

    clock.advance(20.0)
    second = containers.admit(10.0)

    assert second.waited_for_start
    assert second.due_s == pytest.approx(first.due_s)


def test_a_warm_call_takes_its_own_time() -> None:
    clock = FakeClock()
    containers = some_containers(clock)
    clock.advance(containers.admit(1.0).due_s)

    place = containers.admit(10.0)

    assert not place.waited_for_start
    assert place.due_s == pytest.approx(clock.monotonic() + 10.0)


@pytest.mark.parametrize(("idle_s", "is_cold"), [(299.0, False), (301.0, True)])
def test_containers_stop_after_the_idle_window_and_others_start(idle_s: float, is_cold: bool) -> None:
    clock = FakeClock()
    containers = some_containers(clock)
    first = containers.admit(1.0)
    clock.advance(first.due_s + idle_s)

    place = containers.admit(1.0)

    assert place.waited_for_start is is_cold
    assert (place.container_id != first.container_id) or not is_cold


def test_a_long_call_keeps_the_containers_warm() -> None:
    clock = FakeClock()
    containers = some_containers(clock)
    clock.advance(containers.admit(1_000.0).due_s - 1.0)

    assert not containers.admit(1.0).waited_for_start


def test_inputs_beyond_all_places_queue() -> None:
    clock = FakeClock()
    containers = some_containers(clock, containers=2, max_inputs=2)
    clock.advance(containers.admit(0.0).due_s)

    due_s = [containers.admit(10.0).due_s - clock.monotonic() for _ in range(5)]

    assert due_s == pytest.approx([10.0, 10.0, 10.0, 10.0, 20.0])


def test_thirty_two_calls_at_once_do_not_queue_by_default() -> None:
    clock = FakeClock()
    containers = some_containers(clock)
    clock.advance(containers.admit(0.0).due_s)

    places = [containers.admit(10.0) for _ in range(32)]

    assert {place.due_s for place in places} == {clock.monotonic() + 10.0}
    assert len({place.container_id for place in places}) == 4


def test_everything_is_scaled() -> None:
    clock = FakeClock()

    place = some_containers(clock, time_scale=0.01).admit(10.0)

    assert 0.78 <= place.due_s <= 1.18


def test_a_reset_makes_them_cold_again() -> None:
    clock = FakeClock()
    containers = some_containers(clock)
    clock.advance(containers.admit(1.0).due_s)
    warm = containers.admit(1.0)

    containers.reset()

    assert not warm.waited_for_start
    assert containers.admit(1.0).waited_for_start
