import hashlib
from pathlib import Path

import pytest

from analysis.evidence import read_evidence
from analysis.judge import judge
from analysis.records import keep
from dashboard.palette import DECISIONS
from harness.judgement import Decision
from harness.store.database import open_db
from tests.builders import NOON
from tests.dashboard.a_run import a_run
from tests.dashboard.conftest import Visit, words
from tests.frames import thresholds_of
from tests.replayed import a_replayed_run


@pytest.mark.parametrize("decision", Decision)
def test_the_verdict_comes_first_with_its_reason(visit: Visit, tmp_path: Path, decision: Decision) -> None:
    a_run(tmp_path, captures=2, decision=decision.value)

    app = visit("verdict", home=tmp_path)

    assert not app.exception
    assert f"{DECISIONS[decision].word}]" in app.title[1].value
    assert any(
        text.value.startswith("Every gate passed" if decision is Decision.GO else "Generate:") for text in app.text
    )


def test_every_operation_has_a_tile_with_its_three_figures(visit: Visit) -> None:
    app = visit("verdict")

    assert [heading.value for heading in app.subheader][:3] == ["generate", "clone", "design"]
    assert [metric.label for metric in app.metric] == [
        *("Failed", "p95 latency", "Cost, 1k chars"),
        *("Failed", "p95 latency", "Cost, request") * 2,
    ]


def test_a_figure_is_compared_with_control(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=30, slowdown=10.0, failures=0.0)

    slow = visit("verdict", home=tmp_path).metric[1]

    assert slow.delta.endswith("x")
    assert float(slow.delta.removesuffix("x")) == pytest.approx(10, rel=0.5)


def test_what_stands_in_the_way_is_said_in_words(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=2, decision="no-go")

    app = visit("verdict", home=tmp_path)

    assert "What stands in the way" in words(app)
    assert "generate: error_rate: fail on 400 pairs." in [text.value for text in app.text]


def test_nothing_stands_in_the_way_of_a_go(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=2, decision="go")

    assert "What stands in the way" not in words(visit("verdict", home=tmp_path))


def test_every_gate_is_listed_the_worst_first(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=2, decision="inconclusive")

    gates = visit("verdict", home=tmp_path).dataframe[0].value

    assert len(gates) == 24
    assert gates.iloc[0][["outcome", "operation", "gate", "pairs", "still needed"]].to_list() == [
        "? inconclusive",
        "generate",
        "Error rate",
        400,
        "about 400 more pairs",
    ]
    assert gates.iloc[-1]["votes"] == "advisory"


def test_what_the_judge_forecasts_in_pairs_dollars_and_nights_stands_beside_its_gate(
    visit: Visit, tmp_path: Path
) -> None:
    rules = thresholds_of(
        tmp_path, '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 25.0\n', stats="min_pairs = 400\nmin_days = 2"
    )
    run = a_replayed_run(tmp_path, captures=60)
    keep(run, judge(read_evidence([run], rules.features), rules), judged_at=NOON)

    app = visit("verdict", home=tmp_path)

    (row,) = app.dataframe[0].value.to_dict("records")
    assert row["still needed"].startswith("needs 340 more pairs and 1 more day ($")
    assert row["still needed"].endswith(" nights at the present price and pace)")
    assert any(text.value.endswith(row["still needed"]) for text in app.text)


def test_a_verdict_without_any_operation_is_still_shown(visit: Visit, tmp_path: Path) -> None:
    run = a_run(tmp_path, captures=1, decision="inconclusive")
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        for statement in ("DELETE FROM gates", "DELETE FROM verdicts WHERE operation IS NOT NULL"):
            database.execute(statement)

    app = visit("verdict", home=tmp_path)

    assert not app.exception
    assert "INCONCLUSIVE" in app.title[1].value


def test_every_leg_is_counted(visit: Visit) -> None:
    app = visit("verdict")
    counts = app.dataframe[1].value

    assert counts["legs"].sum() == 252
    assert (counts["with audio"] + counts["failed"]).tolist() == counts["legs"].tolist()
    assert "All 252 planned legs have exactly one outcome." in words(app)


def test_an_interrupted_run_says_how_much_is_missing(visit: Visit, tmp_path: Path) -> None:
    a_run(tmp_path, captures=4, interrupted=True, decision="invalid")

    app = visit("verdict", home=tmp_path)

    assert app.warning[0].value == "3 of 27 planned legs have no outcome: the run was interrupted."


def test_a_run_without_a_verdict_says_how_to_judge_it(visit: Visit, tmp_path: Path) -> None:
    run = a_run(tmp_path, captures=2, judged=False)

    app = visit("verdict", home=tmp_path)

    assert [code.value for code in app.code] == [f"cutover verdict {run.id}"]


def test_a_run_that_was_not_measured_says_how_to_measure_it_first(visit: Visit, tmp_path: Path) -> None:
    run = a_run(tmp_path, captures=2, judged=False, features=False)

    app = visit("verdict", home=tmp_path)

    assert [code.value for code in app.code] == [f"cutover extract {run.id}", f"cutover verdict {run.id}"]


def test_a_thresholds_file_that_is_gone_is_not_passed_over(visit: Visit) -> None:
    assert "The thresholds file that judged is not here any more." in words(visit("verdict"))


def _judged_by(home: Path, path: str, sha256: str) -> None:
    run = a_run(home, captures=2)
    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        database.execute("UPDATE verdicts SET thresholds = ?, thresholds_sha256 = ?", [path, sha256])


def test_the_note_of_the_thresholds_that_judged_is_shown(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('schema = 1\nnote = "wide on purpose"\n[gate.errors]\nkind = "paired_binary"\nmargin_pp = 1.0\n')
    _judged_by(tmp_path, str(file), hashlib.sha256(file.read_bytes()).hexdigest())

    assert "wide on purpose" in words(visit("verdict", home=tmp_path))


def test_thresholds_that_changed_since_are_not_taken_for_those_that_judged(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('schema = 1\nnote = "another"\n')
    _judged_by(tmp_path, str(file), "0" * 64)

    shown = words(visit("verdict", home=tmp_path))

    assert "The thresholds file has changed since" in shown
    assert "another" not in shown
