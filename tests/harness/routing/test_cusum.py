import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.routing.cusum import CusumRule

RULE = CusumRule(p0=0.01, p1=0.08, h=9.0)


def test_a_bad_event_adds_and_a_good_one_takes_the_likelihood_ratio() -> None:
    assert RULE.after(1.0, bad=True) == pytest.approx(1.0 + math.log(8))
    assert RULE.after(1.0, bad=False) == pytest.approx(1.0 + math.log(0.92 / 0.99))


def test_five_bad_events_in_a_row_are_evidence_enough() -> None:
    total, sums = 0.0, []
    for _ in range(5):
        total = RULE.after(total, bad=True)
        sums.append(RULE.trips(total))

    assert sums == [False, False, False, False, True]


@given(st.lists(st.booleans(), max_size=200))
def test_the_sum_is_never_negative_and_good_events_never_trip(events: list[bool]) -> None:
    total = 0.0
    for bad in events:
        before, total = total, RULE.after(total, bad=bad)

        assert total >= 0
        assert bad or not RULE.trips(total) or RULE.trips(before)


@pytest.mark.parametrize(
    ("p0", "p1", "h"), [(0.0, 0.1, 9), (0.1, 0.1, 9), (0.2, 0.1, 9), (0.1, 1.0, 9), (0.1, 0.2, 0), (0.1, 0.2, math.inf)]
)
def test_rates_that_cannot_be_told_apart_are_refused(p0: float, p1: float, h: float) -> None:
    with pytest.raises(ValueError, match="needs 0 < p0 < p1 < 1"):
        CusumRule(p0=p0, p1=p1, h=h)
