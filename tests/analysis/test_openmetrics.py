import math
import re

import pytest

from analysis.judge import judge
from analysis.openmetrics import openmetrics
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.frames import mostly, some_evidence, some_pairs
from tests.reports import samples_of

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")
SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+|\+Inf)$')


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


def needed(view: View, key: str) -> dict[str, float]:
    """What the error gate needs, by the end of the range."""
    wanted = f"cutover_gate_needed_{key}"
    gate = 'gate="error_rate"'
    return {
        labels.rpartition('end="')[2].rstrip('"'): value
        for (name, labels), value in samples(view).items()
        if name == wanted and gate in labels
    }


def test_an_open_gate_tells_the_pairs_dollars_and_nights_it_needs() -> None:
    view = viewed(outcome=mostly("ok", 400, overloaded=15))
    forecast = view["operations"][0]["findings"][0]["forecast"]

    assert needed(view, "pairs") == {"low": forecast["pairs_low"], "high": forecast["pairs_high"]}
    assert needed(view, "usd") == {"low": forecast["usd_low"], "high": forecast["usd_high"]}
    assert needed(view, "nights") == {"low": forecast["nights_low"], "high": forecast["nights_high"]}


def test_a_gate_that_will_not_pass_at_this_rate_needs_infinitely_many() -> None:
    view = viewed()
    never = {"text": "will not pass at this rate", "pairs_low": None, "pairs_high": None}
    view["operations"][0]["findings"][0]["forecast"] = {
        **never,
        **dict.fromkeys(("usd_low", "usd_high", "nights_low", "nights_high")),
    }

    assert needed(view, "pairs") == {"low": math.inf, "high": math.inf}
    assert needed(view, "usd") == needed(view, "nights") == {}


def test_a_settled_gate_needs_nothing() -> None:
    assert needed(viewed(), "pairs") == {}


@pytest.mark.parametrize("overloaded", [0, 15, 60])
def test_the_parser_of_prometheus_reads_every_sample(overloaded: int) -> None:
    view = viewed(outcome=mostly("ok", 400, overloaded=overloaded))

    read = samples_of(openmetrics(view))

    assert len(read) == len(samples(view))
    true = [labels for (name, labels), value in read.items() if name == "cutover_verdict" and value]
    assert {dict(labels)["cutover_verdict"] for labels in true} == {view["decision"]}
