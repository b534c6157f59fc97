from typing import Any

import pytest

from dashboard.gate_table import RANGE, allowance, named, numbers, placed, worst_first
from tests.dashboard.a_gate import a_gate, gates_of


def place(**changes: Any) -> dict[str, Any]:
    return placed(gates_of(a_gate(**changes))).row(0, named=True)


def test_a_gate_is_named_in_words() -> None:
    assert named("cost_per_1k_chars") == "Cost per 1k chars"
    assert named("clipping", blocking=False) == "Clipping (advisory)"


@pytest.mark.parametrize(
    ("value", "limit", "unit", "used"),
    [
        pytest.param(0.0, 2.0, "pp", 0.0, id="no difference uses nothing"),
        pytest.param(2.0, 2.0, "pp", 1.0, id="the limit is one"),
        pytest.param(-1.0, 2.0, "pp", -0.5, id="better than control is below zero"),
        pytest.param(1.0, 1.1, "ratio", 0.0, id="a ratio of one is no difference"),
        pytest.param(1.2, 1.1, "ratio", 2.0, id="a ratio beyond its limit"),
        pytest.param(0.9, 0.8, "ratio", 0.5, id="a limit from below"),
        pytest.param(-0.01, -0.02, "similarity", 0.5, id="a loss that is allowed"),
        pytest.param(0.0075, 0.015, "usd_per_1k_chars", 0.5, id="half of an absolute limit"),
        pytest.param(3.0, 0.0, "voices", 2.0, id="nothing is allowed"),
        pytest.param(1.0, 1.0, "ratio", 1.0, id="at a limit that is no difference"),
        pytest.param(None, 1.0, "pp", None, id="no number"),
    ],
)
def test_an_allowance_is_how_much_of_the_limit_is_used(
    value: float | None, limit: float, unit: str, used: float | None
) -> None:
    assert allowance(value, limit=limit, unit=unit, spread=3.0) == pytest.approx(used)


def test_numbers_say_estimate_interval_and_limit_in_the_gates_unit() -> None:
    assert numbers(a_gate()) == "+0.20 pp (−0.30 to +0.70), limit +1.00"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"low": None, "high": None}, "+0.20 pp, limit +1.00", id="no interval"),
        pytest.param({"estimate": None, "high": None}, "– (−0.30 or more), limit +1.00", id="an open end"),
        pytest.param(
            {"unit": "ratio", "estimate": 1.02, "low": 0.97, "high": 1.07, "limit_value": 1.1},
            "1.02x (0.97 to 1.07), limit 1.10",
            id="a ratio",
        ),
        pytest.param(
            {"unit": "usd_per_1k_chars", "estimate": 0.011, "low": 0.01, "high": 0.012, "limit_value": 0.015},
            "$0.0110/1k chars ($0.0100 to $0.0120), limit $0.0150",
            id="dollars",
        ),
        pytest.param(
            {"unit": "voices", "estimate": 0.0, "low": None, "high": None, "limit_value": 0.0},
            "0 voices, limit 0",
            id="voices",
        ),
        pytest.param(
            {"estimate": None, "low": None, "high": None, "limit_value": None}, "no number", id="could not be judged"
        ),
    ],
)
def test_numbers_say_what_is_missing(changes: dict[str, Any], words: str) -> None:
    assert numbers(a_gate(**changes)) == words


def test_an_interval_lies_where_its_share_of_the_limit_is() -> None:
    row = place()

    assert (row["low"], row["estimate"], row["high"]) == pytest.approx((-0.3, 0.2, 0.7))
    assert (row["drawn"], row["cut_low"], row["cut_high"]) == (True, False, False)


def test_what_lies_beyond_the_picture_is_cut_at_its_edge() -> None:
    row = place(estimate=30.0, low=-5.0, high=50.0)

    assert (row["low"], row["estimate"], row["high"]) == (RANGE[0], None, RANGE[1])
    assert (row["cut_low"], row["cut_high"]) == (True, True)


def test_an_interval_without_an_end_goes_on_to_the_edge() -> None:
    row = place(estimate=None, low=0.5, high=None)

    assert (row["drawn"], row["low"], row["high"], row["cut_high"]) == (True, 0.5, RANGE[1], True)


def test_an_estimate_without_an_interval_is_drawn_alone() -> None:
    row = place(low=None, high=None)

    assert (row["low"], row["estimate"], row["high"]) == pytest.approx((0.2, 0.2, 0.2))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"estimate": None, "low": None, "high": None, "limit_value": None}, id="could not be judged"),
        pytest.param({"estimate": 0.2, "limit_value": None}, id="no limit"),
        pytest.param(
            {"unit": "voices", "estimate": 0.0, "low": None, "high": None, "limit_value": 0.0}, id="none, and none may"
        ),
    ],
)
def test_without_a_place_nothing_is_drawn(changes: dict[str, Any]) -> None:
    row = place(**changes)

    assert (row["drawn"], row["estimate"], row["low"], row["high"]) == (False, None, None, None)


def test_an_outcome_is_a_glyph_and_a_word() -> None:
    assert place(outcome="inconclusive")["word"] == "? inconclusive"


def test_segments_are_left_to_the_table() -> None:
    assert placed(gates_of(a_gate(segment="language=ja"))).is_empty()


def test_the_worst_gate_of_any_operation_comes_first() -> None:
    gates = gates_of(
        a_gate("fine"),
        a_gate("advice", outcome="fail", blocking=False),
        a_gate("open", outcome="inconclusive"),
        a_gate("bad"),
        a_gate("bad", outcome="fail", operation="design"),
        a_gate("broken", outcome="invalid"),
    )

    assert worst_first(gates) == ["broken", "bad", "advice", "open", "fine"]


def test_no_gates_give_an_empty_table_with_its_columns() -> None:
    empty = placed(gates_of(a_gate()).clear())

    assert empty.is_empty()
    assert {"operation", "numbers", "estimate", "drawn"} <= set(empty.columns)
