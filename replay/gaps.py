"""What of captured traffic the candidate could not do as it is, before anything is sent: the migration gap.

Weighted by traffic, since the captures are the traffic. Beside it the bill of both providers, and how near its quota
a replay would come. What stands in one request's way is found in obstacles.py.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from harness.config import ModalSettings, QwenSettings
from harness.exchanges import Capture, Failure
from harness.providers.pricing import PriceList
from harness.providers.qwen_terms import model_for
from harness.speech import Operation, Voice, VoiceKind, billed_chars
from replay.obstacles import Obstacle, needs_voice, obstacles

__all__ = ["Gap", "GapReport", "gap_json", "gap_report", "gap_text"]


class Gap(NamedTuple):
    """One obstacle over all captures."""

    code: str
    blocks: bool
    words: str  # of the first capture that met it
    captures: int
    billed_chars: int
    operations: Mapping[str, int]


class Bill(NamedTuple):
    """What the captured traffic costs at one provider; None means unknown, never free."""

    usd: float | None
    basis: str


class Pressure(NamedTuple):
    """How near its quota the candidate comes at a speed."""

    speed: float
    peak_per_minute: int
    peak_per_second: int
    allowed_per_minute: float
    allowed_per_second: float

    @property
    def is_too_high(self) -> bool:
        """Whether requests would have to wait."""
        return self.peak_per_minute > self.allowed_per_minute or self.peak_per_second > self.allowed_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """The migration gap of some captures."""

    captures: int
    blocked: int
    gaps: Sequence[Gap]  # the ones that block most first
    bills: Mapping[str, Bill]  # by provider
    pressure: Pressure

    @property
    def blocked_share(self) -> float:
        """Of the captures; 0.0 of none."""
        return self.blocked / self.captures if self.captures else 0.0


def gap_report(
    captures: Sequence[Capture],
    *,
    qwen: QwenSettings,
    modal: ModalSettings,
    prices: PriceList,
    problems: Mapping[str, Failure],
    migrated: Container[str],
    now: datetime,
    speed: float = 1.0,
) -> GapReport:
    """The migration gap of `captures`, were they replayed `speed` times as fast as they were recorded.

    Raises:
        ValueError: `speed` is not positive.
    """
    if speed <= 0:
        raise ValueError(f"speed {speed} is not positive")
    met = {
        capture.id: obstacles(capture, settings=qwen, problems=problems, migrated=migrated, now=now)
        for capture in captures
    }
    passing = [capture for capture in captures if not any(obstacle.blocks for obstacle in met[capture.id])]
    return GapReport(
        captures=len(captures),
        blocked=len(captures) - len(passing),
        gaps=_gaps(captures, met),
        bills={"qwen": _qwen_bill(passing, qwen, prices, migrated), "modal": _modal_bill(captures, modal, prices)},
        pressure=_pressure(passing, qwen, speed),
    )


def gap_json(report: GapReport) -> dict[str, Any]:
    """The report for machines."""
    return {
        "schema": 1,
        "captures": report.captures,
        "blocked": report.blocked,
        "blocked_share": report.blocked_share,
        "gaps": [{**gap._asdict(), "operations": dict(gap.operations)} for gap in report.gaps],
        "bills": {provider: bill._asdict() for provider, bill in report.bills.items()},
        "pressure": {**report.pressure._asdict(), "is_too_high": report.pressure.is_too_high},
    }


def gap_text(report: GapReport) -> str:
    """The report for people."""
    lines = [f"{report.blocked} of {report.captures} captures ({report.blocked_share:.1%}) cannot be done as they are."]
    for gap in report.gaps:
        mark = "blocks" if gap.blocks else "to do "
        operations = ", ".join(f"{count} {name}" for name, count in sorted(gap.operations.items()))
        lines.append(f"  {mark}  {gap.code}: {gap.captures} ({operations}), such as: {gap.words}")
    for provider, bill in report.bills.items():
        lines.append(f"Bill at {provider}: {'unknown' if bill.usd is None else f'${bill.usd:,.4f}'} ({bill.basis})")
    pressure = report.pressure
    lines.append(
        f"At {pressure.speed:g}x the peak is {pressure.peak_per_minute} calls a minute and "
        f"{pressure.peak_per_second} a second; "
        f"{pressure.allowed_per_minute:g} and {pressure.allowed_per_second:g} are ours to use"
        + (", so calls will have to wait." if pressure.is_too_high else ".")
    )
    return "\n".join(lines)


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
            billed_chars=sum(billed_chars(capture.request.spoken_text) for capture, _ in cases),
            operations=Counter(capture.request.operation.value for capture, _ in cases),
        )
        for (code, blocks), cases in by_code.items()
    ]
    return sorted(gaps, key=lambda gap: (not gap.blocks, -gap.captures, gap.code))


def _qwen_bill(
    captures: Sequence[Capture], settings: QwenSettings, prices: PriceList, migrated: Container[str]
) -> Bill:
    """What can be done there: its characters, and a fee for each voice that has to be made."""
    amounts: list[int | None] = []
    voices: dict[str, Voice] = {}
    for capture in captures:
        request = capture.request
        if needs_voice(capture, migrated):
            # Voices to speak with are made once; those made to be measured, every time.
            voices[request.voice.id if request.operation is Operation.GENERATE else f"!{capture.id}"] = request.voice
        if request.operation is not Operation.DESIGN:
            chars = billed_chars(request.spoken_text)
            model = model_for(request, settings)
            amounts.append(prices.microusd("qwen", settings.region, model, "characters", chars))
    for voice in voices.values():
        item = settings.voice_design_model if voice.kind is VoiceKind.DESIGN else settings.enrolment_model
        amounts.append(prices.microusd("qwen", settings.region, item, "voices", 1))
    basis = f"{len(captures)} captures by counted characters, {len(voices)} voices to be made"
    known = [amount for amount in amounts if amount is not None]
    return Bill(sum(known) / 1e6 if len(known) == len(amounts) else None, basis)


def _modal_bill(captures: Sequence[Capture], settings: ModalSettings, prices: PriceList) -> Bill:
    """What was done: the seconds that production waited, as seconds of a GPU; nobody else's, no idle time."""
    seen = [capture.observed.total_s for capture in captures if capture.observed]
    seconds = [second for second in seen if second is not None]
    basis = f"{len(seconds)} of {len(captures)} captures by observed seconds, without idle time"
    if len(seconds) < len(captures):
        return Bill(None, basis)
    microusd = prices.microusd("modal", settings.region, settings.gpu, "gpu_s", sum(seconds))
    return Bill(None if microusd is None else microusd / 1e6, basis)


def _pressure(captures: Sequence[Capture], settings: QwenSettings, speed: float) -> Pressure:
    times = sorted(capture.captured_at.timestamp() / speed for capture in captures)
    quota = settings.quota
    return Pressure(
        speed=speed,
        peak_per_minute=_peak(times, 60.0),
        peak_per_second=_peak(times, 1.0),
        allowed_per_minute=quota.per_minute * quota.share,
        allowed_per_second=quota.per_second * quota.share,
    )


def _peak(times: Sequence[float], window_s: float) -> int:
    """The most of sorted `times` that any half-open window of that length holds."""
    most, start = 0, 0
    for end, moment in enumerate(times):
        while moment - times[start] >= window_s:
            start += 1
        most = max(most, end - start + 1)
    return most
