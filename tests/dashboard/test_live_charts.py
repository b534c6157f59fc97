from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from dashboard.live_charts import share_lines, spend_lines
from dashboard.palette import LANES
from harness.exchanges import Lane

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NONE = pl.DataFrame(schema={"at": pl.Datetime("us", "UTC"), "trigger": pl.String})
ONE = pl.DataFrame({"at": [AT], "trigger": ["errors"]})


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {"minute": [AT, AT], "lane": ["control", "candidate"], "share": [0.0, 0.5], "calls": [9, 9], "usd": [1.0, 2.0]}
    )


def marks(spec: dict[str, Any]) -> list[str]:
    return [layer["mark"]["type"] for layer in spec["layer"]]


def test_a_share_has_its_limit_across_and_each_trip_upright(frame: pl.DataFrame) -> None:
    spec = share_lines(frame, limit=0.08, trips=ONE, ink="#000000").to_dict()

    assert marks(spec) == ["rule", "text", "rule", "text", "line"]
    texts = [row.get("word") or row.get("trigger") for rows in spec["datasets"].values() for row in rows]
    assert {"trips at 8%", "errors"} <= set(texts)


def test_without_limit_and_trips_there_are_only_lines(frame: pl.DataFrame) -> None:
    spec = spend_lines(frame, limit=None, trips=NONE, ink="#000000").to_dict()

    assert marks(spec) == ["line"]
    assert spec["layer"][0]["encoding"]["y"]["field"] == "usd"


def test_both_lanes_keep_their_colours(frame: pl.DataFrame) -> None:
    spec = spend_lines(frame.filter(lane="candidate"), limit=5.0, trips=NONE, ink="#000000").to_dict()

    scale = spec["layer"][-1]["encoding"]["color"]["scale"]
    assert scale["range"] == [LANES[Lane.CONTROL].colour, LANES[Lane.CANDIDATE].colour]
