"""A verdict for people: the terminal and Markdown, both from the one view in `report.py`."""

from collections.abc import Iterable
from typing import Final

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from analysis.report import View
from analysis.units import amount, count, span
from analysis.wording import beside_lines, flips, footnotes, needs, order_lines, worst_lines

__all__ = ["COMMENT_CHARS", "MARK", "SUMMARY_CHARS", "markdown", "print_verdict"]

COMMENT_CHARS: Final = 65_000  # GitHub refuses a comment above 65,536
SUMMARY_CHARS: Final = 250_000  # and a step summary above 1 MiB, in which a character may take four bytes
MARK: Final = "<!-- cutover verdict -->"  # a later verdict replaces the comment that holds it

_STYLES: Final = {
    "go": "bold green",
    "no-go": "bold red",
    "invalid": "bold magenta",
    "pass": "green",
    "fail": "red",
}
_OPEN: Final = "yellow"
_WORST_SHOWN, _WORST_LISTED = 3, 10
_REASON_CHARS: Final = 2_000
_HEADINGS: Final = ("gate", "outcome", "estimate", "range", "limit", "pairs")


def print_verdict(view: View, console: Console) -> None:
    """Verdict first, then the gates of each operation, what is still needed, and what was counted."""
    console.print(Text.assemble((view["decision"].upper(), _style(view["decision"])), "  ", view["reason"]))
    for operation in view["operations"]:
        console.print(Group(Text(""), _gate_table(operation)))
        if operation["decision"] != "go" and operation["reason"] not in view["reason"]:
            console.print(Text(operation["reason"]))
    for heading, lines in (
        ("still needed", needs(view)),
        ("what would change it", flips(view)),
        ("recommended order", order_lines(view)),
        ("worst pairs", worst_lines(view, _WORST_SHOWN)),
        # Of a gate that passed nobody asks for a second opinion on a screen; files have all of them.
        ("at one look, which never decides", beside_lines(view, passed=False)),
    ):
        _print_section(heading, list(lines), console)
    console.print(Text(""))
    for line in footnotes(view):
        console.print(Text(line))


def _print_section(heading: str, lines: list[str], console: Console) -> None:
    if lines:
        console.print(Text(f"\n{heading}"))
    for line in lines:
        console.print(Text(f"  {line}"))


def markdown(view: View, *, most_chars: int = COMMENT_CHARS) -> str:
    """The verdict as Markdown: its first line is the verdict, its last a mark to find the comment again by.

    Args:
        view: What `view_of` made.
        most_chars: Whole sections are left out from the end until it fits, and a line says so.
    """
    head = f"**{view['decision'].upper()}** {_plain(view['reason'])[:_REASON_CHARS]}"
    sections = [*_operation_sections(view), *_listed(view)]
    for kept in range(len(sections), -1, -1):
        left_out = len(sections) - kept
        cut = [[f"{count(left_out, 'section')} left out for length; `cutover verdict --json` has all"]]
        blocks = [[head], *sections[:kept], *(cut if left_out else []), [MARK]]
        text = "\n\n".join("\n".join(block) for block in blocks) + "\n"
        if len(text) <= most_chars:
            break
    return text


def _operation_sections(view: View) -> list[list[str]]:
    return [
        [
            f"### {operation['operation']}: {operation['decision'].upper()}",
            "",
            _plain(operation["reason"]),
            "",
            _row(_HEADINGS),
            _row("---" for _ in _HEADINGS),
            *(_row(_plain(cell) for cell in _cells(finding)) for finding in operation["findings"]),
        ]
        for operation in view["operations"]
    ]


def _listed(view: View) -> list[list[str]]:
    lists = (
        ("Still needed:", needs(view)),
        ("What would change it:", flips(view)),
        ("Recommended order:", order_lines(view)),
        ("Counted:", footnotes(view)),
        ("Worst pairs:", worst_lines(view, _WORST_LISTED)),
        ("At one look, which never decides:", beside_lines(view, passed=True)),
    )
    sections = [[heading, "", *(f"- {_plain(line)}" for line in lines)] for heading, lines in lists]
    return [section for section in sections if len(section) > 2]


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
        finding["gate"] + (f" {finding['segment']}" if finding["segment"] else ""),
        finding["outcome"] if finding["blocking"] else f"{finding['outcome']} (advisory)",
        amount(finding["estimate"], short, signed=signed),
        span(finding["low"], finding["high"], short, signed=signed),
        amount(finding["limit"], unit, signed=signed),
        f"{finding['counts'].get('pairs', 0):,}",
    )


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text whose marks Markdown leaves alone."""
    for mark in ("\\", "|", "*", "<", "`"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")
