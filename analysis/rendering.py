"""A verdict for people: the terminal and Markdown, both from the one view in `report.py`."""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from analysis.report import View
from analysis.units import amount, count, span

__all__ = ["markdown", "print_verdict"]

_STYLES: Final = {
    "go": "bold green",
    "no-go": "bold red",
    "invalid": "bold magenta",
    "pass": "green",
    "fail": "red",
}
_OPEN: Final = "yellow"
_HEADINGS: Final = ("gate", "outcome", "estimate", "range", "limit", "pairs")


def print_verdict(view: View, console: Console) -> None:
    """Verdict first, then the gates of each operation, what is still needed, and what was counted."""
    console.print(Text.assemble((view["decision"].upper(), _style(view["decision"])), "  ", view["reason"]))
    for operation in view["operations"]:
        console.print(Group(Text(""), _gate_table(operation)))
        if operation["decision"] != "go" and operation["reason"] not in view["reason"]:
            console.print(Text(operation["reason"]))
    needs = list(_needs(view))
    if needs:
        console.print(Text("\nstill needed"))
        for need in needs:
            console.print(Text(f"  {need}"))
    console.print(Text(""))
    for line in _footnotes(view):
        console.print(Text(line))


def markdown(view: View) -> str:
    """The verdict as Markdown; its first line is the verdict."""
    lines = [f"**{view['decision'].upper()}** {_plain(view['reason'])}"]
    for operation in view["operations"]:
        lines += ["", f"### {operation['operation']}: {operation['decision'].upper()}", "", _plain(operation["reason"])]
        lines += ["", _row(_HEADINGS), _row("---" for _ in _HEADINGS)]
        lines += [_row(_plain(cell) for cell in _cells(finding)) for finding in operation["findings"]]
    needs = list(_needs(view))
    if needs:
        lines += ["", "Still needed:", "", *(f"- {_plain(need)}" for need in needs)]
    lines += [
        "",
        *(f"- {_plain(line)}" for line in (*_self_test_lines(view), *_ledger_lines(view), *_source_lines(view))),
    ]
    return "\n".join(lines) + "\n"


def _style(word: str) -> str:
    return _STYLES.get(word, _OPEN)


def _gate_table(operation: View) -> Table:
    decision = operation["decision"]
    sample = operation["sample"]
    title = Text.assemble(
        operation["operation"],
        "  ",
        (decision.upper(), _style(decision)),
        f"  {count(sample['pairs'], 'pair')}, {count(sample['voices'], 'voice')}, {count(sample['days'], 'day')}",
    )
    table = Table(title=title, title_justify="left", title_style="", pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading in ("gate", "outcome") else "right", overflow="fold")
    for finding in operation["findings"]:
        gate, outcome, *numbers = _cells(finding)
        table.add_row(gate, Text(outcome, style=_style(finding["outcome"])), *numbers)
    return table


def _cells(finding: View) -> tuple[str, ...]:
    """One row of the gate table, in the order of its headings."""
    unit, signed = finding["unit"], finding["unit"] == "pp"
    short = "usd" if unit.startswith("usd") else unit  # the limit says per what
    return (
        finding["gate"],
        finding["outcome"] if finding["blocking"] else f"{finding['outcome']} (advisory)",
        amount(finding["estimate"], short, signed=signed),
        span(finding["low"], finding["high"], short, signed=signed),
        amount(finding["limit"], unit, signed=signed),
        f"{finding['counts'].get('pairs', 0):,}",
    )


def _needs(view: View) -> Iterator[str]:
    """What the gates of an open operation wait for, the same wait of several gates said once."""
    for operation in view["operations"]:
        if operation["decision"] != "inconclusive":
            continue
        waits: dict[str, list[str]] = {}
        for finding in operation["findings"]:
            if finding["forecast"] and finding["blocking"]:
                waits.setdefault(finding["forecast"]["text"], []).append(finding["gate"])
        for wait, gates in waits.items():
            yield f"{operation['operation']} {wait} ({', '.join(gates)})"


def _footnotes(view: View) -> Iterator[str]:
    yield from _self_test_lines(view)
    yield from _ledger_lines(view)
    yield from _source_lines(view)


def _self_test_lines(view: View) -> Iterator[str]:
    """How small a defect the gates could see in these runs."""
    for operation in view["operations"]:
        test = operation["self_test"]
        name, noise = operation["operation"], count(test["noise_pairs"], "noise pair")
        if test["noise_pairs"] < test["needed"]:
            yield f"self-test {name}: {noise} of {test['needed']}, so the instrument was not tested"
        elif test["fault"] is None:
            by_share: dict[float, list[str]] = {}
            for gate, share in test["caught_from"].items():
                by_share.setdefault(share, []).append(gate)
            caught = "; ".join(f"{100 * share:g} % by {', '.join(by_share[share])}" for share in sorted(by_share))
            yield f"self-test {name}: {noise}, the repeat does not fail; planted defects are caught from {caught}"


def _ledger_lines(view: View) -> Iterator[str]:
    ledger = view["ledger"]
    for lane in ledger["lanes"]:
        outcomes = ", ".join(f"{name} {number:,}" for name, number in _ok_first(lane["outcomes"]))
        yield f"{lane['lane']}: {count(lane['exchanges'], 'exchange')} = {outcomes}"
    yield f"all lanes: {ledger['rows']:,} of {count(ledger['planned'], 'planned leg')} have an outcome"


def _ok_first(outcomes: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(outcomes.items(), key=lambda item: (item[0] != "ok", -item[1], item[0]))


def _source_lines(view: View) -> Iterator[str]:
    thresholds = view["thresholds"]
    yield f"thresholds: {thresholds['name']} ({thresholds['sha256'][:12]})"
    if thresholds["note"]:
        yield f"note: {thresholds['note']}"
    if view["not_judged"]:
        yield f"not replayed, so not judged: {', '.join(view['not_judged'])}"
    yield f"run: {', '.join(run['run_id'] for run in view['runs'])}"


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text whose marks Markdown leaves alone."""
    for mark in ("\\", "|", "*", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")
