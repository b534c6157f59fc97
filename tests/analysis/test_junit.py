from typing import NamedTuple
from xml.etree import ElementTree as ET

import junitparser
import pytest

from analysis.judge import judge
from analysis.junit import junit
from analysis.report import View, view_of
from analysis.thresholds import Thresholds
from harness.config import PROJECT
from tests.frames import a_run_fact, mostly, some_evidence, some_pairs

DEMO = Thresholds.load(PROJECT / "data" / "demo" / "thresholds.toml")
ADVISORY = {"clipping"}


class Rule(NamedTuple):
    required: set[str]
    optional: set[str]
    children: set[str]


# The part of the xunit2 schema that readers agree on: elements, their attributes and what may stand in them.
SCHEMA = {
    "testsuites": Rule({"tests"}, {"name", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": Rule(
        {"name", "tests", "failures", "errors", "skipped"},
        {"time", "timestamp", "hostname"},
        {"testcase", "properties"},
    ),
    "testcase": Rule({"name", "classname"}, {"time"}, {"failure", "error", "skipped"}),
    "failure": Rule(set(), {"message", "type"}, set()),
    "error": Rule(set(), {"message", "type"}, set()),
    "skipped": Rule(set(), {"message", "type"}, set()),
}


def violations(element: ET.Element) -> list[str]:
    rule = SCHEMA.get(element.tag)
    if rule is None:
        return [f"<{element.tag}> is unknown"]
    found = [f"<{element.tag}> lacks {name}" for name in rule.required - set(element.attrib)]
    found += [f"<{element.tag}> has {name}" for name in set(element.attrib) - rule.required - rule.optional]
    found += [f"<{child.tag}> stands in <{element.tag}>" for child in element if child.tag not in rule.children]
    return found + [problem for child in element for problem in violations(child)]


def viewed(**candidate: object) -> View:
    return view_of(judge(some_evidence(some_pairs(control={"cost_microusd": 4_500}, candidate=candidate)), DEMO))


def read(view: View) -> dict[str, dict[str, tuple[str | None, str | None]]]:
    """What a library makes of it: suite → case → what became of it and why."""
    suites = junitparser.JUnitXml.fromstring(junit(view).encode())
    return {
        suite.name: {
            case.name: (case.result[0]._tag, case.result[0].message) if case.result else (None, None) for case in suite
        }
        for suite in suites
    }


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
    root = ET.fromstring(junit(viewed(**WORLDS[decision])))

    assert violations(root) == []
    assert int(root.attrib["tests"]) == sum(int(suite.attrib["tests"]) for suite in root)
    for suite in root:
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))


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
