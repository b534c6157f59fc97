"""A run of the gate: every chosen check's scans and tests, its outcomes, and the record of them."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.clock import Clock
from harness.errors import HarnessError
from harness.security.catalogue import load_catalogue
from harness.security.check import Check, Profile
from harness.security.finding import Finding
from harness.security.outcome import Evidence, GateBroken, Outcome, Part, Status, exit_status, outcome_of
from harness.security.provenance import file_sha256, provenance_of
from harness.security.record import GATE_VERSION, Record
from harness.security.scans import SCANS
from harness.security.suite import run_tests
from harness.security.waivers import load_waivers, waived

__all__ = ["Run", "run_gate", "run_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run of the gate is made."""

    root: Path  # the checkout that is judged
    folder: Path  # what it leaves as evidence
    profile: Profile = Profile.CI
    only: tuple[str, ...] = ()  # ids of checks; all when empty
    workers: str = "auto"  # of pytest


def run_gate(run: Run, *, clock: Clock) -> Record:
    """Run the chosen checks once.

    Raises:
        UsageError: There is no such check, or the dev extra is missing.
        ConfigError: The catalogue or the waivers cannot be used.
        GateBroken: Something of the gate itself failed.
    """
    catalogue = load_catalogue(run.root)
    waivers = load_waivers(run.root, catalogue)
    checks = catalogue.chosen(run.only)
    before, started = provenance_of(run.root), clock.now()
    outcomes = waived(run_parts(run, checks, clock=clock), waivers, now=started)
    if provenance_of(run.root) != before:
        raise GateBroken(f"{run.root}: the code changed while it was looked at; run the gate again")
    return Record(
        gate_version=GATE_VERSION,
        profile=run.profile,
        started=started,
        ended=clock.now(),
        python=platform.python_version(),
        provenance=before,
        catalogue_checks=len(catalogue.checks),
        checks=outcomes,
        exit_status=exit_status(outcomes, medium_failures=catalogue.medium_failures),
    )


def run_parts(run: Run, checks: tuple[Check, ...], *, clock: Clock) -> tuple[Outcome, ...]:
    """The outcomes of these checks, before any waiver."""
    run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    nodes = [node for check in checks for node in check.nodes(run.profile)]
    tested = run_tests(run.root, nodes, folder=run.folder, workers=run.workers) if nodes else {}
    return tuple(outcome_of(check, _parts(run, check, tested, clock)) for check in checks)


def _parts(run: Run, check: Check, tested: Mapping[str, Part], clock: Clock) -> list[Part]:
    scanned = [_scan(run, check, name, clock) for name in check.scans]
    return [*scanned, *(tested[node] for node in check.nodes(run.profile))]


def _scan(run: Run, check: Check, name: str, clock: Clock) -> Part:
    """One scan; where it cannot be made it was not run, and that is no pass."""
    began_s = clock.monotonic()
    try:
        findings = SCANS[name](run.root, run.folder)
    except KeyError:
        raise GateBroken(f"check {check.id}: there is no scan {name}; valid are {', '.join(SCANS)}") from None
    except HarnessError as error:
        return Part(status=Status.NOT_RUN, how=f"scan {name}", reason=f"scan {name}: {error}")
    return Part(
        status=Status.FAIL if findings else Status.PASS,
        how=f"scan {name}",
        reason=f"scan {name}: {findings[0]} ({len(findings)} in all)" if findings else "",
        duration_s=clock.monotonic() - began_s,
        evidence=(_written(run.folder, f"{check.id}-{name}.json", findings),),
    )


def _written(folder: Path, name: str, findings: tuple[Finding, ...]) -> Evidence:
    """What a scan found, beside the record; a finding never holds a secret."""
    path = folder / name
    path.write_text(json.dumps([str(finding) for finding in findings], indent=2) + "\n", encoding="utf-8")
    return Evidence(path=name, sha256=file_sha256(path))
