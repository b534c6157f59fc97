import re

from analysis.judge import judge
from analysis.openmetrics import openmetrics
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.frames import mostly, some_evidence, some_pairs

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")
SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+)$')


def viewed(**candidate: object) -> View:
    return view_of(judge(some_evidence(some_pairs(control={"cost_microusd": 4_500}, candidate=candidate)), DEMO))


def samples(view: View) -> dict[tuple[str, str], float]:
    """Every sample by name and labels; a line that is none of the format breaks it."""
    lines = openmetrics(view).splitlines()
    assert lines.pop() == "# EOF"
    found, declared = {}, set()
    for line in lines:
        if line.startswith("# TYPE "):
            assert line.split()[2] not in declared
            declared.add(line.split()[2])
        elif not line.startswith("# "):
            match = SAMPLE.match(line)
            assert match, line
            assert match[1] in declared
            assert (match[1], match[2] or "") not in found
            found[match[1], match[2] or ""] = float(match[3])
    return found


def test_exactly_one_decision_is_true() -> None:
    found = samples(viewed(outcome=mostly("ok", 400, overloaded=60)))

    true = {labels for (name, labels), value in found.items() if name == "cutover_verdict" and value}
    assert true == {
        'operation="all",cutover_verdict="no-go"',
        'operation="generate",cutover_verdict="no-go"',
    }


def test_gates_have_outcome_numbers_and_unit() -> None:
    found = samples(viewed(outcome=mostly("ok", 400, overloaded=60)))

    labels = 'operation="generate",gate="error_rate",segment="",blocking="true"'
    assert found["cutover_gate", f'{labels},cutover_gate="fail"'] == 1
    assert found["cutover_gate_limit", f'{labels},unit="pct"'] == 4.5
    assert found["cutover_gate_estimate", f'{labels},unit="pct"'] == 15.0
    assert found["cutover_pairs", 'operation="generate"'] == 400


def test_marks_in_a_name_are_escaped() -> None:
    view = viewed()
    view["operations"][0]["findings"][0]["segment"] = 'voice=a"b\\c\nd'

    assert any(r'segment="voice=a\"b\\c\nd"' in labels for _, labels in samples(view))
