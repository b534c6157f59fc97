"""What of captured traffic the candidate could not do as it is, before anything is sent: the migration gap.

Weighted by traffic, since the captures are the traffic. Beside it the bill of both providers, and how near its quota
a replay would come. What stands in one request's way is found in obstacles.py.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from harness.config import ModalSettings, QwenSettings
from harness.exchanges import Capture, Failure
from harness.providers.pricing import PriceList
from harness.speech import VoiceKind, billed_chars
from replay.bills import Bill, modal_bill, qwen_bill
from replay.obstacles import VOICE_NOT_MIGRATED, Obstacle, obstacles
from replay.pacing import AsRecorded, Pacing
from replay.pressure import Pressure, pressure_at

__all__ = ["Gap", "GapReport", "gap_json", "gap_report", "gap_text"]

AS_RECORDED: Final = AsRecorded()


class Gap(NamedTuple):
    """One obstacle over all captures."""

    code: str
    blocks: bool
    words: str  # of the first capture that met it
    captures: int
    share: float  # of all captures
    billed_chars: int
    operations: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """The migration gap of some captures."""

    captures: int
    blocked: int
    gaps: Sequence[Gap]  # the ones that block most first
    references: int  # recordings that voices are made from, each counted once
    migratable_references: int  # those that the candidate would take
    bills: Mapping[str, Bill]  # by provider
    pace: str  # at which the pressure was predicted
    pressure: Pressure
    set_aside: int  # lines that are no capture, such as one in a language that neither provider speaks

    @property
    def blocked_share(self) -> float:
        """Of the captures; 0.0 of none."""
        return self.blocked / self.captures if self.captures else 0.0

    @property
    def migratable_share(self) -> float | None:
        """Of the recordings; None where there are none."""
        return self.migratable_references / self.references if self.references else None


def gap_report(
    captures: Sequence[Capture],
    *,
    qwen: QwenSettings,
    modal: ModalSettings,
    prices: PriceList,
    problems: Mapping[str, Failure],
    migrated: Container[str],
    now: datetime,
    pacing: Pacing = AS_RECORDED,
    pace: str = "recorded",
    set_aside: int = 0,
) -> GapReport:
    """The migration gap of `captures`.

    Args:
        captures: By when they were captured.
        qwen: The candidate.
        modal: The legacy path.
        prices: Of both.
        problems: From `reference_problems`.
        migrated: Ids (the caller's own) of voices that exist at the candidate.
        now: Against which consent expires.
        pacing: At which the pressure is predicted.
        pace: The same in words.
        set_aside: How many lines of the file are no capture.
    """
    met = {
        capture.id: obstacles(capture, settings=qwen, problems=problems, migrated=migrated, now=now)
        for capture in captures
    }
    passing = [capture for capture in captures if not any(obstacle.blocks for obstacle in met[capture.id])]
    # Both bills are of the same captures: all that could be done once its voices exist.
    billed = [capture for capture in captures if not any(_lasts(obstacle) for obstacle in met[capture.id])]
    return GapReport(
        captures=len(captures),
        blocked=len(captures) - len(passing),
        gaps=_gaps(captures, met),
        references=len(_references(captures)),
        migratable_references=len(_references(captures) - set(problems)),
        bills={"qwen": qwen_bill(billed, qwen, prices, migrated), "modal": modal_bill(billed, modal, prices)},
        pace=pace,
        set_aside=set_aside,
        pressure=pressure_at(pacing, (capture.captured_at.timestamp() for capture in passing), qwen.quota),
    )


def gap_json(report: GapReport) -> dict[str, Any]:
    """The report for machines."""
    return {
        "schema": 1,
        "captures": report.captures,
        "blocked": report.blocked,
        "blocked_share": report.blocked_share,
        "gaps": [{**gap._asdict(), "operations": dict(gap.operations)} for gap in report.gaps],
        "set_aside": report.set_aside,
        "references": report.references,
        "migratable_references": report.migratable_references,
        "migratable_share": report.migratable_share,
        "bills": {provider: bill._asdict() for provider, bill in report.bills.items()},
        "pace": report.pace,
        "pressure": {**report.pressure._asdict(), "is_too_high": report.pressure.is_too_high},
    }


def gap_text(report: GapReport) -> str:
    """The report for people."""
    lines = [f"{report.blocked} of {report.captures} captures ({report.blocked_share:.1%}) cannot be done as they are."]
    for gap in report.gaps:
        mark = "blocks" if gap.blocks else "to do "
        operations = ", ".join(f"{count} {name}" for name, count in sorted(gap.operations.items()))
        traffic = f"{gap.captures} ({gap.share:.1%}: {operations})"
        lines.append(f"  {mark}  {gap.code}: {traffic}, such as: {gap.words}")
    if report.set_aside:
        lines.append(f"{report.set_aside} more lines were set aside: they are no captures; see the quarantine file.")
    if report.references:
        lines.append(f"{report.migratable_references} of {report.references} reference recordings would be taken.")
    lines += [f"Bill at {provider}: {_bill_text(bill)}" for provider, bill in report.bills.items()]
    return "\n".join([*lines, _pressure_text(report.pressure, report.pace)])


def _bill_text(bill: Bill) -> str:
    if bill.usd is None:
        return f"unknown ({bill.basis})"
    loaded = "unknown" if bill.fully_loaded_usd is None else f"${bill.fully_loaded_usd:,.4f}"
    both = f"${bill.usd:,.4f}" if bill.usd == bill.fully_loaded_usd else f"${bill.usd:,.4f}, fully loaded {loaded}"
    return f"{both} ({bill.basis})"


def _pressure_text(pressure: Pressure, pace: str) -> str:
    wait = (
        f", so calls wait up to {pressure.longest_wait_s:,.1f} s and the last goes out after "
        f"{pressure.ends_after_s:,.0f} s."
        if pressure.is_too_high
        else "."
    )
    return (
        f"At pace {pace} the peak is {pressure.peak_per_minute} calls a minute and {pressure.peak_per_second} "
        f"a second; {pressure.allowed_per_minute:g} and {pressure.allowed_per_second:g} are ours to use{wait}"
    )


def _lasts(obstacle: Obstacle) -> bool:
    """Whether an obstacle blocks even when voices may be made."""
    return obstacle.blocks and obstacle.code != VOICE_NOT_MIGRATED


def _references(captures: Sequence[Capture]) -> set[str]:
    """Hashes of the recordings that voices are made from."""
    voices = (capture.request.voice for capture in captures)
    return {voice.reference.sha256 for voice in voices if voice.kind is VoiceKind.CLONE and voice.reference}


def _gaps(captures: Sequence[Capture], met: Mapping[str, Sequence[Obstacle]]) -> list[Gap]:
    by_code: defaultdict[tuple[str, bool], list[tuple[Capture, str]]] = defaultdict(list)
    for capture in captures:
        for obstacle in met[capture.id]:
            by_code[obstacle.code, obstacle.blocks].append((capture, obstacle.words))
    gaps = [
        Gap(
            code=code,
            blocks=blocks,
            words=cases[0][1],
            captures=len(cases),
            share=len(cases) / len(captures),
            billed_chars=sum(billed_chars(capture.request.spoken_text) for capture, _ in cases),
            operations=Counter(capture.request.operation.value for capture, _ in cases),
        )
        for (code, blocks), cases in by_code.items()
    ]
    return sorted(gaps, key=lambda gap: (not gap.blocks, -gap.captures, gap.code))
