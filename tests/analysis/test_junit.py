from xml.etree import ElementTree as ET

import pytest

from analysis.judge import judge
from analysis.junit import junit
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.frames import a_run_fact, mostly, some_evidence, some_pairs
from tests.reports import junit_cases, junit_problems

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")
ADVISORY = {"clipping"}


def viewed(**candidate: object) -> View:
    return view_of(judge(some_evidence(some_pairs(control={"cost_microusd": 4_500}, candidate=candidate)), DEMO))


def read(view: View) -> dict[str, dict[str, tuple[str | None, str | None]]]:
    return junit_cases(junit(view))


WORLDS = {
    "go": {},
    "no-go": {"outcome": mostly("ok", 400, overloaded=60)},
    "inconclusive": {"outcome": mostly("ok", 400, overloaded=15)},
    "invalid": {"outcome": mostly("ok", 400, internal=60)},
}


@pytest.mark.parametrize(
    ("decision", "element"), [("go", None), ("no-go", "failure"), ("inconclusive", "skipped"), ("invalid", "error")]
)
def test_a_reader_finds_the_decision_and_every_gate(decision: str, element: str | None) -> None:
    view = viewed(**WORLDS[decision])

    suites = read(view)

    assert view["decision"] == decision
    assert suites["verdict"]["verdict"] == (element, view["reason"] if element else None)
    assert list(suites["generate"]) == [finding["gate"] for finding in view["operations"][0]["findings"]]


@pytest.mark.parametrize("decision", sorted(WORLDS))
def test_every_report_keeps_to_the_schema_and_its_totals_add_up(decision: str) -> None:
    document = junit(viewed(**WORLDS[decision]))
    root = ET.fromstring(document)

    assert junit_problems(document) == []
    assert int(root.attrib["tests"]) == sum(int(suite.attrib["tests"]) for suite in root)
    for suite in root:
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param('time="0"', 'time="soon"', id="a time"),
        pytest.param("<failure message", "<failed message", id="a tag left open"),
        pytest.param(' type="no-go"', ' kind="no-go"', id="an attribute"),
        pytest.param(' type="no-go"', "", id="a failure without its type"),
        pytest.param('timestamp="', 'timestamp="in ', id="a time stamp"),
        pytest.param('name="generate"', 'name="verdict"', id="two suites of one name"),
    ],
)
def test_the_schema_finds_what_a_reader_would_stumble_on(right: str, wrong: str) -> None:
    document = junit(viewed(**WORLDS["no-go"]))
    assert right in document

    assert junit_problems(document.replace(right, wrong)) != []


def test_an_advisory_gate_fails_no_build() -> None:
    cases = read(viewed(clipped_share=0.5))["generate"]

    assert cases["bad_audio"][0] == "failure"
    assert cases["clipping"][0] == "skipped"
    assert str(cases["clipping"][1]).startswith("advisory: clipping fails")


def test_a_verdict_without_operations_is_still_an_error() -> None:
    runs = (a_run_fact(planned=4, rows=0, status="interrupted"),)

    assert read(view_of(judge(some_evidence(runs=runs), DEMO)))["verdict"]["verdict"][0] == "error"


def test_what_xml_cannot_hold_is_replaced() -> None:
    view = viewed()
    view["decision"], view["reason"] = "no-go", 'voice "\x00\x1b<&>\ud800"'

    assert read(view)["verdict"]["verdict"] == ("failure", 'voice "\ufffd\ufffd<&>\ufffd"')
