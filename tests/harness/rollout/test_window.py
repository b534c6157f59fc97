from hypothesis import given
from hypothesis import strategies as st

from harness.rollout.window import Window

LENGTHS = (60, 300, 3_600)


def test_events_are_counted_and_drop_out_when_they_are_too_old() -> None:
    window = Window(LENGTHS, figures=2)

    window.add(0.0, (1, 10))
    window.add(59.0, (1, 5))
    window.add(61.0, (1, 1))

    assert window.sums(60) == [1, 1]
    assert window.sums(300) == [3, 16]
    window.advance(300.0)
    assert window.sums(300) == [1, 1]
    assert window.sums(3_600) == [3, 16]


def test_a_long_silence_forgets_everything_and_takes_no_time() -> None:
    window = Window(LENGTHS, figures=1)
    window.add(0.0, (1,))

    window.add(1e9, (1,))

    assert window.sums(3_600) == [1]
    assert window.dump() == [[int(1e9 // 60), 1]]


def test_a_clock_that_steps_back_loses_nothing() -> None:
    window = Window(LENGTHS, figures=1)

    window.add(7_200.0, (1,))
    window.add(3_600.0, (1,))

    assert window.sums(60) == [2]


EVENTS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 10**12)), max_size=60)


@given(EVENTS)
def test_the_sums_are_those_of_counting_anew(events: list[tuple[int, int]]) -> None:
    window, at_s, seen = Window(LENGTHS, figures=1), 0.0, []
    for wait_s, value in events:
        at_s += wait_s
        window.add(at_s, (value,))
        seen.append((int(at_s // 60), value))

        for length_s in LENGTHS:
            first = int(at_s // 60) - length_s // 60
            assert window.sums(length_s) == [sum(value for minute, value in seen if minute > first)]


@given(EVENTS, st.integers(0, 400))
def test_a_window_goes_on_from_its_dump(events: list[tuple[int, int]], later_s: int) -> None:
    window, at_s = Window(LENGTHS, figures=1), 0.0
    for wait_s, value in events:
        at_s += wait_s
        window.add(at_s, (value,))

    other = Window(LENGTHS, figures=1)
    other.load(window.dump())
    for each in (window, other):
        each.add(at_s + later_s, (1,))

    assert [other.sums(length_s) for length_s in LENGTHS] == [window.sums(length_s) for length_s in LENGTHS]
