"""A verdict as JUnit XML (the xunit2 dialect), so that any CI shows each gate as a test case.

A failed gate is a failure, an open one is skipped, and what is invalid or our own fault is an error. An advisory gate
never fails the build: whatever it found, it is skipped unless it passed.
"""

import re
from typing import Final
from xml.etree import ElementTree as ET

from analysis.report import View

__all__ = ["junit"]

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS: Final = {
    "fail": "failure",
    "no-go": "failure",
    "inconclusive": "skipped",
    "invalid": "error",
}
_COUNTED: Final = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def junit(view: View) -> str:
    """The document: one suite for the whole verdict, and one for each operation with a case for each gate."""
    root = ET.Element("testsuites", name="cutover verdict")
    _case(_suite(root, "verdict", view), "cutover.verdict", "verdict", view["decision"], view["reason"])
    for operation in view["operations"]:
        suite = _suite(root, operation["operation"], view)
        for finding in operation["findings"]:
            outcome, reason = finding["outcome"], finding["reason"]
            if not finding["blocking"] and outcome != "pass":
                outcome, reason = "inconclusive", f"advisory: {reason}"
            place = f" {finding['segment']}" if finding["segment"] else ""
            _case(suite, f"cutover.{operation['operation']}", finding["gate"] + place, outcome, reason)
    for element in (*root, root):
        _count(element)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, view: View) -> ET.Element:
    return ET.SubElement(root, "testsuite", name=name, time="0", timestamp=view["as_of"][:19])


def _case(suite: ET.Element, group: str, name: str, outcome: str, reason: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=group, name=_clean(name), time="0")
    element = _ELEMENTS.get(outcome)
    if element is None:
        return
    said = ET.SubElement(case, element, message=_clean(reason))
    if element != "skipped":
        said.set("type", outcome)
        said.text = _clean(reason)


def _count(element: ET.Element) -> None:
    """Totals, which readers show before they read on."""
    element.set("tests", str(len(list(element.iter("testcase")))))
    for tag, attribute in _COUNTED.items():
        if element.tag == "testsuite" or tag != "skipped":
            element.set(attribute, str(len(list(element.iter(tag)))))


def _clean(text: str) -> str:
    """Text without what XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
