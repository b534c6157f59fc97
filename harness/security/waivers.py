"""Waivers: a person answers, for a time, for a check that does not pass. What is critical cannot be waived."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from harness.errors import ConfigError
from harness.security.catalogue import Catalogue, read_table
from harness.security.check import Severity
from harness.security.outcome import Outcome, Status

__all__ = ["WAIVERS", "Waiver", "load_waivers", "waived"]

WAIVERS: Final = Path("data/security/waivers.toml")  # from the root of a checkout


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Who answers for what, and until when."""

    id: str
    check: str
    owner: str
    reason: str
    expires: date  # the last day it counts, UTC

    def __str__(self) -> str:
        """As reports name it."""
        return f"{self.id}, {self.owner} until {self.expires}: {self.reason}"


def load_waivers(root: Path, catalogue: Catalogue) -> tuple[Waiver, ...]:
    """The waivers of the checkout at `root`.

    Raises:
        ConfigError: The file is missing or no TOML, a row cannot be used, names no check or a critical one.
    """
    path = root / WAIVERS
    rows = read_table(path).get("waiver", [])
    waivers = tuple(_waiver(row, f"{path}: waiver {number}") for number, row in enumerate(rows, start=1))
    severities = {check.id: check.severity for check in catalogue.checks}
    for waiver in waivers:
        if waiver.check not in severities:
            raise ConfigError(f"{path}: waiver {waiver.id}: there is no check {waiver.check}")
        if severities[waiver.check] is Severity.CRITICAL:
            raise ConfigError(f"{path}: waiver {waiver.id}: {waiver.check} is critical and cannot be waived; mend it")
    return waivers


def waived(outcomes: Iterable[Outcome], waivers: Iterable[Waiver], *, now: datetime) -> tuple[Outcome, ...]:
    """The outcomes with their waivers: one that holds waives, one that is over makes the check fail."""
    by_check = {waiver.check: waiver for waiver in waivers}
    return tuple(_under(outcome, by_check.get(outcome.id), now.date()) for outcome in outcomes)


def _under(outcome: Outcome, waiver: Waiver | None, today: date) -> Outcome:
    if waiver is None or outcome.status is Status.PASS:
        return outcome
    if waiver.expires < today:
        reason = f"its waiver {waiver.id} was over on {waiver.expires}; {outcome.reason}"
        return replace(outcome, status=Status.FAIL, reason=reason, waiver=str(waiver))
    return replace(outcome, status=Status.WAIVED, waiver=str(waiver))


def _waiver(row: dict[str, Any], where: str) -> Waiver:
    unknown = sorted(set(row) - set(Waiver.__dataclass_fields__))
    if unknown:
        raise ConfigError(f"{where}: {unknown[0]} is not known; valid are {', '.join(Waiver.__dataclass_fields__)}")
    try:
        return TypeAdapter(Waiver).validate_python(row)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigError(f"{where}: {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}") from None
