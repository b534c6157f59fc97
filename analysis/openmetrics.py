"""A verdict as OpenMetrics text, for a textfile collector or a push gateway."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from analysis.report import View

__all__ = ["openmetrics"]

_DECISIONS: Final = ("go", "no-go", "inconclusive", "invalid")
_OUTCOMES: Final = ("pass", "fail", "inconclusive", "invalid")


def openmetrics(view: View) -> str:
    """The exposition; numbers keep the unit of their gate, which is a label."""
    lines = [*_verdicts(view), *_gates(view), *_pairs(view), *_age(view), "# EOF"]
    return "\n".join(lines) + "\n"


def _verdicts(view: View) -> Iterator[str]:
    yield from _family("cutover_verdict", "stateset", "The decision on an operation, and on all of them.")
    for name, decision in (("all", view["decision"]), *((each["operation"], each["decision"]) for each in _each(view))):
        for state in _DECISIONS:
            yield _sample("cutover_verdict", {"operation": name, "cutover_verdict": state}, int(state == decision))


def _gates(view: View) -> Iterator[str]:
    findings = [(each["operation"], finding) for each in _each(view) for finding in each["findings"]]
    yield from _family("cutover_gate", "stateset", "The outcome of a gate.")
    for operation, finding in findings:
        for state in _OUTCOMES:
            yield _sample(
                "cutover_gate", {**_labels(operation, finding), "cutover_gate": state}, int(state == finding["outcome"])
            )
    for key, meaning in (
        ("estimate", "What a gate measured, in its own unit."),
        ("low", "Lower end of its interval."),
        ("high", "Upper end of its interval."),
        ("limit", "The threshold it is held to."),
    ):
        yield from _family(f"cutover_gate_{key}", "gauge", meaning)
        for operation, finding in findings:
            if finding[key] is not None:
                labels = {**_labels(operation, finding), "unit": finding["unit"]}
                yield _sample(f"cutover_gate_{key}", labels, finding[key])
    for key, meaning in (
        ("pairs", "More pairs an open gate needs, about; +Inf: it will not pass at this rate."),
        ("usd", "What they cost at the present price."),
        ("nights", "How many nights they take at the present pace."),
    ):
        yield from _family(f"cutover_gate_needed_{key}", "gauge", meaning)
        for operation, finding in findings:
            yield from _needed(key, finding["forecast"], _labels(operation, finding))


def _needed(key: str, forecast: View | None, labels: Mapping[str, str]) -> Iterator[str]:
    """Both ends of a forecast; none where nothing is needed or known."""
    if forecast is None:
        return
    for end in ("low", "high"):
        value = forecast[f"{key}_{end}"]
        if value is None and key == "pairs":
            value = math.inf  # a forecast without a number says that there is none
        if value is not None:
            yield _sample(f"cutover_gate_needed_{key}", {**labels, "end": end}, value)


def _pairs(view: View) -> Iterator[str]:
    yield from _family("cutover_pairs", "gauge", "Pairs that count as evidence.")
    for each in _each(view):
        yield _sample("cutover_pairs", {"operation": each["operation"]}, each["sample"]["pairs"])


def _age(view: View) -> Iterator[str]:
    yield "# TYPE cutover_evidence_timestamp_seconds gauge"
    yield "# UNIT cutover_evidence_timestamp_seconds seconds"
    yield "# HELP cutover_evidence_timestamp_seconds End of the newest run that was judged."
    yield _sample("cutover_evidence_timestamp_seconds", {}, datetime.fromisoformat(view["as_of"]).timestamp())


def _each(view: View) -> list[Mapping[str, Any]]:
    return list(view["operations"])


def _family(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    yield f"# HELP {name} {meaning}"


def _labels(operation: str, finding: View) -> dict[str, str]:
    return {
        "operation": operation,
        "gate": finding["gate"],
        "segment": finding["segment"] or "",
        "blocking": str(finding["blocking"]).lower(),
    }


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = "+Inf" if value == math.inf else f"{value}"
    return f"{name}{{{pairs}}} {number}" if pairs else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
