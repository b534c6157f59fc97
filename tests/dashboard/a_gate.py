"""Rows of the table `gates` that need only what a test is about."""

from typing import Any

import polars as pl

from harness.store.schema import TABLES


def a_gate(name: str = "error_rate", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(TABLES["gates"].names)
    return row | {
        "operation": "clone",
        "gate": name,
        "outcome": "pass",
        "blocking": True,
        "estimate": 0.2,
        "low": -0.3,
        "high": 0.7,
        "limit_value": 1.0,
        "unit": "pp",
        "reason": "because",
        **changes,
    }


def gates_of(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None, schema_overrides={"segment": pl.String})
