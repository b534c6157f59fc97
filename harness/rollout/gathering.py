"""All that the next step of one operation may rest on, put together from runs, spool, drills and people's words."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.clock import Clock
from harness.config import Settings
from harness.errors import StoreError
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.evidence import Evidence, LiveEvidence
from harness.rollout.gate_evidence import gate_evidence
from harness.rollout.live_figures import LiveFigures, figures_of
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.places import drills_file
from harness.rollout.rules import Rules
from harness.rollout.run_evidence import Judged, judged_runs, noise_is_healthy, pairs_of
from harness.rollout.stage import NEXT, Rollout, Stage
from harness.speech import Operation
from harness.store.runs import Run, list_runs

__all__ = ["Words", "gather", "quota_headroom"]

_PAIRED: Final = frozenset({"replay", "shadow"})  # a demo proves nothing
_LIVE: Final = frozenset({"canary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What only people, and checks outside of this program, can say."""

    approved_by: str | None = None
    tickets_reviewed_by: str | None = None
    signed_by: str | None = None
    legacy_healthy: bool | None = None
    security_gate: Path | None = None  # a record of the gate; None takes the newest under the home


def gather(
    settings: Settings,
    operation: Operation,
    rollout: Rollout,
    *,
    outcomes: Iterable[LiveOutcome],
    rules: Rules,
    words: Words,
    clock: Clock,
) -> Evidence:
    """The evidence as it is now; nothing is asked of anybody over a network.

    Args:
        settings: Where runs lie, what quota and limits there are.
        operation: Whose rollout.
        rollout: Where it stands.
        outcomes: What the spool holds.
        rules: Of the live path; say whether spending is capped.
        words: What people said.
        clock: For the age of drills.

    Raises:
        StoreError: The book of drills or a sealed run is damaged.
    """
    runs = list_runs(settings.home)
    judged, of_epoch = _judged(runs, operation, _PAIRED, rollout.epoch)
    complete, asked = pairs_of(of_epoch, operation)
    drills = DrillBook(drills_file(settings.home), clock=clock)
    figures = figures_of(outcomes, operation, since=rollout.since)
    return Evidence(
        epoch=judged.epoch if judged else "none",
        legacy_healthy=words.legacy_healthy,
        verdict=judged.verdict if judged else None,
        pairs=complete,
        completeness=complete / asked if asked else None,
        noise_healthy=noise_is_healthy(of_epoch, operation),
        rollback_drill=drills.last(DrillKind.ROLLBACK),
        load_drill=drills.last(DrillKind.LOAD),
        security_gate=gate_evidence(settings.home, words.security_gate, rules=rules.security, now=clock.now()),
        spend_cap_set=rules.spend.has_caps,
        approved_by=words.approved_by,
        live=_live(settings, operation, rollout, figures, runs) if rollout.stage is not Stage.SHADOW else None,
        tickets_reviewed_by=words.tickets_reviewed_by,
        signed_by=words.signed_by,
    )


def _judged(
    runs: list[Run], operation: Operation, kinds: frozenset[str], epoch: str
) -> tuple[Judged | None, list[Run]]:
    """The latest verdict, one of the epoch before any other, and the judged runs of its epoch."""
    found = judged_runs(runs, operation, kinds=kinds)
    same = [judged for judged in found if judged.epoch == epoch] or found[-1:]
    return (same[-1], [judged.run for judged in same]) if same else (None, [])


def _live(
    settings: Settings, operation: Operation, rollout: Rollout, figures: LiveFigures, runs: list[Run]
) -> LiveEvidence:
    judged, _ = _judged(runs, operation, _LIVE, rollout.epoch)
    return LiveEvidence(
        qwen_requests=figures.answered,
        covers_peak=figures.covers_peak,
        fallbacks=figures.fallback,
        user_errors_upper=figures.user_errors_upper,
        rate_limited=figures.rate_limited,
        cost_per_1k_upper_usd=figures.cost_per_1k_upper_usd,
        cost_limit_usd=_cost_limit_usd(settings.thresholds) if operation is Operation.GENERATE else None,
        quota_headroom=quota_headroom(settings, rollout, figures),
        verdict=judged.verdict if judged and judged.epoch == rollout.epoch else None,
    )


def quota_headroom(settings: Settings, rollout: Rollout, figures: LiveFigures) -> float | None:
    """Our quota at Qwen by what the next stage would ask of it in the busiest minute; None while nobody knows that."""
    after = NEXT.get(rollout.stage)
    load = figures.peak_per_minute * after.share_bp / 10_000 if after else 0.0
    return settings.qwen.quota.per_minute / load if load else None


def _cost_limit_usd(thresholds: Path) -> float | None:
    """The absolute limit on 1,000 characters, from the file that verdicts are judged by."""
    try:
        table = tomllib.loads(thresholds.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise StoreError(f"{thresholds}: cannot be read; CUTOVER_THRESHOLDS names the thresholds file") from None
    limit = table.get("gate", {}).get("cost_per_1k_chars", {}).get("abs_max_usd")
    return float(limit) if isinstance(limit, int | float) else None
