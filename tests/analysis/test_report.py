import json
from pathlib import Path

import polars as pl

from analysis.judge import judge
from analysis.report import SCHEMA, View, view_of
from tests.frames import a_run_fact, mostly, some_evidence, some_pairs, thresholds_of

GATES = (
    '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 3.0\n'
    '[gate.slow]\nkind = "paired_tail"\nratio_max = 1.1\nblocking = false\n'
)


def viewed(folder: Path, *frames: pl.DataFrame, stats: str = "min_pairs = 1\nmin_days = 1\nmin_voices = 1") -> View:
    return view_of(judge(some_evidence(*frames), thresholds_of(folder, GATES, stats=stats)))


def test_a_view_is_plain_json_with_a_version(tmp_path: Path) -> None:
    view = viewed(tmp_path, some_pairs())

    assert view["schema"] == SCHEMA == 1
    assert json.loads(json.dumps(view, allow_nan=False)) == view


def test_a_no_go_tells_its_gate_reason_and_exit_status(tmp_path: Path) -> None:
    view = viewed(tmp_path, some_pairs(candidate={"outcome": mostly("ok", 400, tls=60)}))

    assert (view["decision"], view["exit_status"]) == ("no-go", 1)
    assert view["deciding"] == {"operation": "generate", "gate": "errors"}
    assert view["operations"][0]["deciding"] == {"operation": "generate", "gate": "errors"}
    assert view["reason"].startswith("generate: errors fails")


def test_a_go_is_decided_by_all_gates(tmp_path: Path) -> None:
    view = viewed(tmp_path, some_pairs())

    assert (view["decision"], view["exit_status"], view["deciding"]) == ("go", 0, None)


def test_a_finding_holds_raw_numbers_with_their_unit(tmp_path: Path) -> None:
    view = viewed(tmp_path, some_pairs(candidate={"outcome": mostly("ok", 400, tls=60)}))

    finding = view["operations"][0]["findings"][0]
    assert finding["gate"] == "errors"
    assert (finding["estimate"], finding["limit"], finding["unit"]) == (15.0, 3.0, "pp")
    assert finding["low"] < 15.0 < finding["high"]
    assert finding["counts"] == {"pairs": 400, "candidate_only": 60, "control_only": 0, "both": 0}
    assert finding["forecast"] is None


def test_an_open_gate_holds_its_forecast(tmp_path: Path) -> None:
    view = viewed(tmp_path, some_pairs(20), stats="min_pairs = 300\nmin_days = 1")

    assert view["exit_status"] == 3
    assert view["operations"][0]["findings"][0]["forecast"] == {
        "pairs_low": 280,
        "pairs_high": 280,
        "text": "needs 280 more pairs ($0.56, 14 nights at the present price and pace)",
        "usd_low": 0.56,
        "usd_high": 0.56,
        "nights_low": 14,
        "nights_high": 14,
    }


def test_a_gate_has_the_textbooks_interval_beside_its_own(tmp_path: Path) -> None:
    finding = viewed(tmp_path, some_pairs())["operations"][0]["findings"][0]

    assert [each["method"] for each in finding["beside"]] == ["Tango score", "Clopper-Pearson"]
    assert finding["beside"][0]["high"] < finding["high"]


def test_counts_add_up_lane_by_lane(tmp_path: Path) -> None:
    outcomes = mostly("ok", 400, tls=5, rate_limited=3)

    ledger = viewed(tmp_path, some_pairs(candidate={"outcome": outcomes}))["ledger"]

    assert ledger["lanes"] == [
        {"lane": "candidate", "exchanges": 400, "outcomes": {"ok": 392, "rate_limited": 3, "tls": 5}},
        {"lane": "control", "exchanges": 400, "outcomes": {"ok": 400}},
    ]
    assert ledger["planned"] == ledger["rows"] == sum(lane["exchanges"] for lane in ledger["lanes"])


def test_a_sample_says_what_was_left_out(tmp_path: Path) -> None:
    held_back = {"outcome": mostly("ok", 400, budget=100), "attempts": [0] * 100 + [1] * 300}

    sample = viewed(tmp_path, some_pairs(control=held_back, candidate=held_back))["operations"][0]["sample"]

    assert (sample["planned"], sample["unsent"], sample["pairs"], sample["completeness"]) == (400, 100, 300, 1.0)


def test_operations_that_were_not_replayed_are_named(tmp_path: Path) -> None:
    assert viewed(tmp_path, some_pairs())["not_judged"] == ["clone", "design"]


def test_an_invalid_run_is_exit_status_4_and_blames_no_gate_it_has_not(tmp_path: Path) -> None:
    rules = thresholds_of(tmp_path, GATES)
    evidence = some_evidence(runs=(a_run_fact(planned=4, rows=0, status="interrupted"),))

    view = view_of(judge(evidence, rules))

    assert (view["decision"], view["exit_status"], view["deciding"]) == ("invalid", 4, None)
    assert view["operations"] == []


def test_the_thresholds_file_is_named_with_hash_and_note(tmp_path: Path) -> None:
    rules = thresholds_of(tmp_path, GATES)

    shown = view_of(judge(some_evidence(some_pairs()), rules))["thresholds"]

    assert shown == {"name": "thresholds.toml", "sha256": rules.sha256, "note": None}
