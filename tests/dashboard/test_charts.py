from typing import Any

import polars as pl
import pytest

from dashboard.charts import contrast_bars, failure_bars, latency_by_length, latency_curve
from dashboard.palette import LANES
from harness.exchanges import Lane

WORDS = [look.word for look in LANES.values()]
COLOURS = [look.colour for look in LANES.values()]


def layer_with(spec: dict[str, Any], mark: str) -> dict[str, Any]:
    return next(layer for layer in spec["layer"] if layer["mark"]["type"] == mark)


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(spec["datasets"][layer.get("data", spec.get("data"))["name"]])


@pytest.fixture
def curve() -> pl.DataFrame:
    return pl.DataFrame({"lane": ["control", "candidate"], "share": [0.5, 0.5], "seconds": [0.8, 1.25]})


def test_a_latency_curve_shows_the_share_answered_by_seconds(curve: pl.DataFrame) -> None:
    spec = latency_curve(curve, ink="#000000").to_dict()
    line = layer_with(spec, "line")

    assert (line["encoding"]["x"]["field"], line["encoding"]["y"]["field"]) == ("seconds", "share")
    assert line["encoding"]["y"]["scale"]["domain"] == [0, 1]
    assert {(row["who"], row["took"]) for row in rows_of(spec, line)} == {
        (LANES[Lane.CONTROL].word, "800 ms"),
        (LANES[Lane.CANDIDATE].word, "1.25 s"),
    }


def test_a_lane_keeps_its_colour_when_it_is_alone(curve: pl.DataFrame) -> None:
    spec = latency_curve(curve.filter(lane="candidate"), ink="#000000").to_dict()

    assert layer_with(spec, "line")["encoding"]["color"]["scale"] == {"domain": WORDS, "range": COLOURS}


def test_the_noise_lane_is_dashed(curve: pl.DataFrame) -> None:
    dashes = layer_with(latency_curve(curve, ink="#000000").to_dict(), "line")["encoding"]["strokeDash"]["scale"][
        "range"
    ]

    assert dashes == [[1, 0], [1, 0], [5, 3]]


def test_lengths_keep_their_order_and_timeouts_have_no_point() -> None:
    frame = pl.DataFrame(
        {
            "length": ["to 50", "51 to 100", "over 400"],
            "lane": ["control"] * 3,
            "n": [10, 10, 10],
            "p50_s": [0.5, 0.6, 0.7],
            "p95_s": [1.0, 2.0, float("inf")],
        }
    )

    spec = latency_by_length(frame, "p95").to_dict()
    line = layer_with(spec, "line")

    assert line["encoding"]["x"]["sort"] == ["to 50", "51 to 100", "over 400"]
    assert [row["seconds"] for row in rows_of(spec, line)] == [1.0, 2.0]


def test_failures_keep_their_order_and_stand_side_by_side_by_lane() -> None:
    frame = pl.DataFrame(
        {
            "outcome": ["overloaded", "overloaded", "dns"],
            "lane": ["candidate", "control", "control"],
            "legs": [9, 1, 2],
            "share": [0.09, 0.01, 0.02],
        }
    )

    spec = failure_bars(frame).to_dict()

    assert spec["encoding"]["y"]["sort"] == ["overloaded", "dns"]
    assert (spec["encoding"]["yOffset"]["field"], spec["encoding"]["yOffset"]["sort"]) == ("who", WORDS)
    assert [row["is"] for row in rows_of(spec, spec)] == ["9.0 %", "1.0 %", "2.0 %"]


def test_contrasts_stand_largest_first_and_unmeasured_ones_are_left_out() -> None:
    frame = pl.DataFrame({"label": ["Pitch", "Loudness", "Timbre"], "multiple": [0.4, 2.5, None]})

    spec = contrast_bars(frame, ink="#000000").to_dict()
    bars = layer_with(spec, "bar")

    assert bars["encoding"]["y"]["sort"] == ["Loudness", "Pitch"]
    assert rows_of(spec, layer_with(spec, "rule")) == [{"multiple": 1.0}]
