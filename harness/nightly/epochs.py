"""Which earlier nights add up with tonight's: same limits, same models, same measuring.

Evidence is gathered over nights only within one epoch; a changed limit begins a new one, or limits could be moved until
they fit what was seen (verdicts.md 1.2, row 4).
"""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

import duckdb

from harness.config import Settings
from harness.errors import StoreError, UsageError
from harness.nightly.night import Night
from harness.store.database import open_db
from harness.store.runs import Run

__all__ = ["Epoch", "Gathered", "gather", "rules_sha256"]

_MODELS: Final = """
    SELECT DISTINCT lane || ' ' || operation, provider || '/' || model || '@' || coalesce(region, '')
    FROM exchanges WHERE model IS NOT NULL ORDER BY ALL
"""
_EXTRACTORS: Final = "SELECT DISTINCT extractor_version FROM features WHERE extractor_version IS NOT NULL ORDER BY ALL"


def rules_sha256(settings: Settings) -> str:
    """Of the thresholds file in force.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return hashlib.sha256(settings.thresholds.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{settings.thresholds}: cannot be read ({error.strerror})") from None


class Epoch(NamedTuple):
    """What evidence must have in common."""

    rules_sha256: str
    models: dict[str, list[str]]  # "candidate clone" → models met there; a Qwen voice is bound to its model
    extractors: list[str]

    @classmethod
    def of(cls, run: Run, rules_sha256: str) -> Self:
        """The epoch of a sealed run.

        Raises:
            StoreError: Its database cannot be read.
        """
        try:
            with open_db(run.database) as database:
                models: dict[str, list[str]] = {}
                for place, model in database.execute(_MODELS).fetchall():
                    models.setdefault(place, []).append(model)
                extractors = [version for (version,) in database.execute(_EXTRACTORS).fetchall()]
        except duckdb.Error as error:
            raise StoreError(f"{run.database}: {str(error).splitlines()[0]}; `cutover runs seal {run.id}`") from None
        return cls(rules_sha256, models, extractors)

    def difference(self, earlier: "Epoch") -> str | None:
        """What sets `earlier` apart; None when both add up."""
        if earlier.rules_sha256 != self.rules_sha256:
            return "the limits changed"
        for place in sorted(self.models.keys() & earlier.models.keys()):
            # A place may know several models, for texts with instructions and without: one in common is enough.
            if not set(self.models[place]) & set(earlier.models[place]):
                return f"another model as {place} ({', '.join(earlier.models[place])})"
        if self.extractors and earlier.extractors and self.extractors != earlier.extractors:
            return "measured by another extractor (`cutover extract RUN` measures again)"
        return None


class Gathered(NamedTuple):
    """The runs that are judged together tonight, and the nights that are not and why."""

    runs: list[str]  # oldest first, tonight's last
    left_out: dict[str, str]  # night → reason


def gather(tonight: Night, run: Run, rules_sha256: str, earlier: Sequence[tuple[Night, Run]]) -> Gathered:
    """All of tonight's epoch, back to the latest change.

    Args:
        tonight: The night.
        run: What it replayed.
        rules_sha256: Of the thresholds file in force.
        earlier: Nights that were judged, oldest first, with their runs.
    """
    epoch = Epoch.of(run, rules_sha256)
    runs: list[str] = [run.id]
    left_out: dict[str, str] = {}
    for night, before in reversed(earlier):
        if night.name == tonight.name:
            continue
        why = epoch.difference(Epoch.of(before, night.rules_sha256 or ""))
        if why or left_out:  # nights before a change stay out even if the limits came back
            left_out[night.name] = why or "before a change"
        else:
            runs.insert(0, before.id)
    return Gathered(runs, left_out)
