"""A record and the catalogue in words: Markdown for people, a few lines for a terminal, the table of the docs."""

from collections.abc import Iterable, Sequence
from typing import Final

from harness.security.check import Check
from harness.security.outcome import Outcome, Status
from harness.security.record import Record

__all__ = ["catalogue_table", "markdown", "terminal_lines"]

_ORDER: Final = (Status.FAIL, Status.NOT_RUN, Status.WAIVED, Status.PASS)
_MEANING: Final = {
    0: "the gate is open",
    1: "the gate is shut: a check failed",
    2: "the gate is shut: what was not run is not good",
}


def markdown(record: Record, digest: str) -> str:
    """The record as a page: what failed first, a row for each check, then the evidence by its hash."""
    provenance = record.provenance
    state = {None: "", True: ", with changes that are not committed", False: ", clean"}[provenance.dirty]
    head = [
        "# Security gate",
        "",
        f"**{_MEANING[record.exit_status]}** ({_counts(record)}).",
        "",
        f"- profile `{record.profile}`, {record.started:%Y-%m-%d %H:%M:%S} UTC, "
        f"{(record.ended - record.started).total_seconds():.0f} s, Python {record.python}",
        f"- commit `{provenance.commit or 'none'}`{state}; code `{provenance.code_sha256[:12]}`, "
        f"lock `{(provenance.lock_sha256 or 'none')[:12]}`, version {provenance.code_version}",
        f"- digest `{digest}`",
        "",
        "| check | severity | status | asserted | reason |",
        "|---|---|---|---|---|",
    ]
    rows = [_row(each) for each in _sorted(record.checks)]
    evidence = sorted({(each.path, each.sha256) for outcome in record.checks for each in outcome.evidence})
    files = [f"| {_cell(path)} | `{sha256}` |" for path, sha256 in evidence]
    return "\n".join([*head, *rows, "", "| evidence | SHA-256 |", "|---|---|", *files, ""])


def terminal_lines(record: Record) -> list[str]:
    """One line for each check, what failed first, and the sum."""
    lines = [_line(outcome) for outcome in _sorted(record.checks)]
    return [*lines, f"{_counts(record)}: {_MEANING[record.exit_status]}"]


def catalogue_table(checks: Iterable[Check]) -> str:
    """The checks as docs/security.md holds them."""
    head = ["| check | severity | asserted | maps to |", "|---|---|---|---|"]
    return "\n".join([*head, *(_catalogue_row(check) for check in checks)])


def _catalogue_row(check: Check) -> str:
    asvs = [f"ASVS {', '.join(check.maps.asvs)}"] if check.maps.asvs else []
    maps = "; ".join([*asvs, *check.maps.api10, *check.maps.privacy])
    return f"| {check.id} | {check.severity} | {_cell(check.asserted)} | {_cell(maps)} |"


def _sorted(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return sorted(outcomes, key=lambda each: (_ORDER.index(each.status), each.id))


def _counts(record: Record) -> str:
    return ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in record.summary.items())


def _line(outcome: Outcome) -> str:
    reason = f" {outcome.waiver or outcome.reason}" if outcome.status is not Status.PASS else ""
    status = outcome.status.replace("_", " ").upper()
    return f"{outcome.id} {status:8} {outcome.severity:9} {outcome.duration_ms / 1000:6.1f} s  {outcome.title}.{reason}"


def _row(outcome: Outcome) -> str:
    cells = (outcome.id, outcome.severity, outcome.status.replace("_", " ").upper(), outcome.asserted)
    return f"| {' | '.join(_cell(cell) for cell in cells)} | {_cell(outcome.waiver or outcome.reason)} |"


def _cell(text: str) -> str:
    """Text that stays within its cell and is no markup."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
