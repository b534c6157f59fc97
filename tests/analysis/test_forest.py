import re
from xml.etree import ElementTree as ET

from analysis.forest import forest
from analysis.judge import judge
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.frames import mostly, some_evidence, some_pairs

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")


def operation(**candidate: object) -> View:
    pairs = some_pairs(control={"cost_microusd": 4_500}, candidate=candidate)
    found: View = view_of(judge(some_evidence(pairs), DEMO))["operations"][0]
    return found


def dots(chart: str) -> dict[str, float]:
    """Where each gate's estimate stands."""
    names = re.findall(r'<text x="0" y="\d+">([^<]+)</text>', chart)
    return dict(zip(names, map(float, re.findall(r'<circle cx="([0-9.]+)"', chart)), strict=True))


def test_what_breaks_its_limit_stands_beyond_the_line_and_what_keeps_it_before() -> None:
    chart = forest(operation(outcome=mostly("ok", 400, overloaded=30)))

    line = float(re.findall(r'<line x1="([0-9.]+)" y1="20"', chart)[0])
    assert dots(chart)["error_rate"] > line
    assert dots(chart)["refusals"] < line
    assert dots(chart)["cost_per_1k_chars"] < line


def test_a_chart_is_well_formed_and_says_in_words_what_it_shows() -> None:
    root = ET.fromstring(forest(operation()))

    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == root[0].text
    assert all(230 <= x <= 690 for x in dots(forest(operation(service_s=500.0))).values())


def test_marks_in_a_name_are_escaped() -> None:
    view = operation()
    view["findings"][0]["segment"] = "voice=<b>&"

    assert "voice=&lt;b&gt;&amp;" in forest(view)


def test_without_any_range_there_is_no_chart() -> None:
    assert forest(operation(outcome=mostly("ok", 400, internal=100))) == ""
