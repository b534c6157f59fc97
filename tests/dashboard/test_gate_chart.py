from typing import Any

import pytest

from dashboard.gate_chart import gate_matrix
from dashboard.palette import OUTCOMES
from harness.judgement import Outcome
from tests.dashboard.a_gate import a_gate, gates_of

OPERATIONS = ["generate", "clone"]


def drawn(*rows: dict[str, Any]) -> dict[str, Any]:
    return dict(gate_matrix(gates_of(*rows), OPERATIONS, ink="#000000").to_dict())


def layers(spec: dict[str, Any], mark: str) -> list[dict[str, Any]]:
    return [layer for layer in spec["layer"] if layer["mark"]["type"] == mark]


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(spec["datasets"][layer["data"]["name"]])


def test_every_gate_has_a_row_and_every_operation_a_column() -> None:
    spec = drawn(a_gate("silence"), a_gate("silence", operation="generate"), a_gate("very_slow"))
    texts = layers(spec, "text")[0]

    cells = {(row["label"], row["column"]) for row in rows_of(spec, texts)}

    assert cells == {("Silence", 0), ("Silence", 1), ("Very slow", 1)}
    assert texts["encoding"]["y"]["sort"] == ["Silence", "Very slow"]


def test_the_columns_are_headed_with_their_operations() -> None:
    spec = drawn(a_gate())
    axis = layers(spec, "rect")[0]["encoding"]["x"]["axis"]

    assert axis["values"] == [0.5, 1.5]
    assert "'generate'" in axis["labelExpr"]
    assert "'clone'" in axis["labelExpr"]


def test_an_interval_at_its_limit_is_drawn_where_the_shaded_part_begins() -> None:
    spec = drawn(a_gate(estimate=1.0, low=0.0, high=1.0, limit_value=1.0))

    bar = rows_of(spec, layers(spec, "rule")[0])[0]
    beyond = rows_of(spec, layers(spec, "rect")[0])[1]

    assert bar["high"] == pytest.approx(beyond["limit"])
    assert bar["low"] < bar["high"] < beyond["end"] < 2


def test_each_operation_stays_in_its_own_column() -> None:
    far = {"estimate": 99.0, "low": -99.0, "high": 99.0}
    spec = drawn(a_gate(operation="generate", **far), a_gate(operation="clone", **far))

    for row in rows_of(spec, layers(spec, "rule")[0]):
        assert row["column"] < row["low"] < row["high"] < row["column"] + 1


def test_an_outcome_has_its_colour_and_its_word() -> None:
    spec = drawn(a_gate(outcome="fail"))
    words = layers(spec, "text")[1]

    row = rows_of(spec, words)[0]

    assert words["encoding"]["text"]["field"] == "word"
    assert (row["word"], row["colour"]) == ("✕ fail", OUTCOMES[Outcome.FAIL].colour)


def test_the_picture_grows_with_its_rows() -> None:
    assert drawn(a_gate("one"), a_gate("two"))["height"] == 2 * drawn(a_gate("one"))["height"]


def test_an_advisory_gate_says_so_in_its_row() -> None:
    spec = drawn(a_gate("clipping", blocking=False))

    assert layers(spec, "text")[0]["encoding"]["y"]["sort"] == ["Clipping (advisory)"]
