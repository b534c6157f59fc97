"""Whether a record of the security gate speaks for what runs here: whole, passed, recent, and of the same code.

What the gate looked at is its own business; here its record is only held against this installation.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from harness.config import PROJECT
from harness.errors import StoreError
from harness.rollout.evidence import SecurityGate
from harness.rollout.rules import SecurityRules
from harness.security.outcome import Status
from harness.security.provenance import Provenance, provenance_of
from harness.security.record import Record, newest_record, read_record

__all__ = ["gate_evidence"]

_AGAIN: Final = "run it again: cutover gate run"


def gate_evidence(
    home: Path, named: Path | None, *, rules: SecurityRules, now: datetime, running: Provenance | None = None
) -> SecurityGate | None:
    """What the record says for the rollout; None when there is none.

    Args:
        home: Where records lie; the newest counts when none is named.
        named: A record that somebody chose.
        rules: How old it may be.
        now: UTC.
        running: What it must be of; default: what runs here.
    """
    path = named or newest_record(home)
    if path is None:
        return None
    try:
        record, digest = read_record(path)
    except StoreError as error:
        return SecurityGate(record=str(path), digest=None, at=None, shortfalls=(str(error),))
    shortfalls = tuple(_shortfalls(record, running or provenance_of(PROJECT), rules, now))
    return SecurityGate(record=str(path), digest=digest, at=record.ended, shortfalls=shortfalls)


def _shortfalls(record: Record, running: Provenance, rules: SecurityRules, now: datetime) -> Iterator[str]:
    if not record.is_whole:
        yield f"its record has {len(record.checks)} of {record.catalogue_checks} checks; {_AGAIN}"
    if record.exit_status:
        shut = [each.id for each in record.checks if each.status in (Status.FAIL, Status.NOT_RUN)]
        yield f"it did not pass: {', '.join(shut) or 'nothing was run'}"
    age = now - record.ended
    if not timedelta() <= age <= timedelta(days=rules.max_age_d):
        yield f"its record is not of the last {rules.max_age_d:g} days: {record.ended:%Y-%m-%d %H:%M} UTC; {_AGAIN}"
    yield from _differences(record.provenance, running)


def _differences(checked: Provenance, running: Provenance) -> Iterator[str]:
    """How what was checked is not what runs."""
    if running.lock_sha256 is None:
        yield "requirements.lock is not beside what runs here, so nobody can tell what was checked; install it, too"
    elif checked.lock_sha256 != running.lock_sha256:
        yield f"it looked at another requirements.lock than the one here; {_AGAIN}"
    if (checked.code_version, checked.code_sha256) != (running.code_version, running.code_sha256):
        yield f"it looked at other code than runs here ({checked.code_sha256[:12]}); {_AGAIN}"
