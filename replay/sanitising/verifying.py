"""Whether a file of captures is what it should be: every line good, every recording there, every consent in force."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.capturing.consent import consent_problem
from harness.capturing.leaks import first_leak
from harness.errors import StoreError
from harness.exchanges import Capture
from harness.providers.base import References
from harness.speech import VoiceKind
from replay.sources import CaptureFile

__all__ = ["Verification", "verify"]


@dataclass(slots=True)
class Verification:
    """What was found; `problems` is empty when all is well."""

    lines: int = 0
    good: int = 0
    quarantined: int = 0
    skipped: int = 0
    sha256: str = ""
    recordings: Counter[str] = field(default_factory=Counter)  # intact, missing, damaged → different recordings
    consent: Counter[str] = field(default_factory=Counter)  # in force, none, expired, … → captures of cloned voices
    problems: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "lines": self.lines,
            "good": self.good,
            "quarantined": self.quarantined,
            "skipped": self.skipped,
            "sha256": self.sha256,
            "recordings": dict(self.recordings),
            "consent": dict(self.consent),
            "problems": self.problems,
        }


def verify(source: CaptureFile, *, now: datetime) -> Verification:
    """Read the file to its end and look at everything it speaks of.

    Raises:
        CaptureError: The file cannot be read at all.
    """
    found = Verification()
    states: dict[str, str] = {}  # recording → what it is like
    for capture in source:
        _check_consent(capture, found, now)
        _check_recording(capture, found, source.references, states)
        leak = first_leak(capture)
        if leak:
            found.problems.append(f"capture {capture.id}: {leak.field} holds {leak.rule}; import anew without it")
    counts = source.counts
    found.lines, found.good, found.quarantined, found.skipped = counts.lines, *counts
    found.sha256 = source.sha256 or ""
    found.recordings = Counter(states.values())
    if counts.quarantined:
        found.problems.append(f"{counts.quarantined} lines are no captures; reasons in {source.quarantine}")
    return found


def _check_consent(capture: Capture, found: Verification, now: datetime) -> None:
    if capture.request.voice.kind is VoiceKind.CLONE:
        found.consent[consent_problem(capture, provider="modal", region=None, now=now) or "in force"] += 1


def _check_recording(capture: Capture, found: Verification, references: References, states: dict[str, str]) -> None:
    """A recording that nobody consented to may be missing; one that may be replayed must be there."""
    reference = capture.request.voice.reference
    if reference is None or reference.sha256 in states:
        return
    path = references.find(reference.sha256)
    if path is None:
        if capture.consent is not None:
            states[reference.sha256] = "missing"
            found.problems.append(f"capture {capture.id}: its recording is not in the folder audio beside the file")
        return
    try:
        references.get(reference.sha256, path.suffix.removeprefix("."))
        states[reference.sha256] = "intact"
    except StoreError as error:
        states[reference.sha256] = "damaged"
        found.problems.append(f"capture {capture.id}: {error}")
