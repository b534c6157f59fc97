"""Reads each report of a verdict with the tool that it is meant for."""

from pathlib import Path

import junitparser
from lxml import etree
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

__all__ = ["html_of", "junit_cases", "junit_problems", "samples_of"]

_SCHEMA = Path(__file__).parent / "analysis" / "junit.xsd"
Case = tuple[str | None, str | None]  # what became of it, and why


def junit_problems(document: str) -> list[str]:
    """What a validator has to say against a JUnit report; nothing when it keeps to the schema."""
    schema = etree.XMLSchema(etree.parse(_SCHEMA))
    try:
        schema.validate(etree.fromstring(document.encode()))
    except etree.XMLSyntaxError as error:
        return [str(error)]
    return [str(problem) for problem in schema.error_log]


def junit_cases(document: str) -> dict[str, dict[str, Case]]:
    """What a library makes of a JUnit report: suite → case → what became of it and why."""
    return {
        suite.name: {
            case.name: (case.result[0]._tag, case.result[0].message) if case.result else (None, None) for case in suite
        }
        for suite in junitparser.JUnitXml.fromstring(document.encode())
    }


def samples_of(exposition: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample that Prometheus' own parser reads, by name and sorted labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }


def html_of(markdown: str) -> str:
    """What a reader of Markdown sees, by the rules of CommonMark with tables."""
    return str(MarkdownIt("commonmark").enable("table").render(markdown))
