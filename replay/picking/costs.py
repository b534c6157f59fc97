"""What a capture would cost at Qwen by the price file: its words, and its voice once for all captures that speak in it.

The legacy path charges for time, which nobody knows beforehand. Where it is wanted, the seconds that production waited
stand for it: the work alone, without starts and idle time, which belong to no single request.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from harness.config import QwenSettings
from harness.exchanges import Capture
from harness.providers.container_rate import ContainerRate
from harness.providers.pricing import PriceList
from harness.providers.qwen_terms import model_for
from harness.speech import Operation, VoiceKind, billed_chars

__all__ = ["Bill", "Cost", "Costs"]


class Cost(NamedTuple):
    """Of one capture."""

    microusd: int  # each time it is sent
    voice: str | None = None  # that must be there before
    voice_microusd: int = 0  # to make it


class Costs:
    """Prices captures; one attempt each."""

    def __init__(self, prices: PriceList, settings: QwenSettings, *, legacy: ContainerRate | None = None) -> None:
        """Price at Qwen, and at the legacy path as well where its rate is given."""
        self._prices = prices
        self._settings = settings
        self._legacy = legacy

    @property
    def where(self) -> str:
        """At whom is paid, in words."""
        return "at Qwen" if self._legacy is None else "at both providers"

    def of(self, capture: Capture) -> Cost | None:
        """The cost of a capture; None when a price that it needs is unknown, or how long production waited."""
        cost = self._at_qwen(capture)
        if self._legacy is None or cost is None:
            return cost
        waited_s = capture.observed.total_s if capture.observed else None
        legacy = None if waited_s is None else self._legacy.microusd(waited_s)
        return None if legacy is None else cost._replace(microusd=cost.microusd + legacy)

    def _at_qwen(self, capture: Capture) -> Cost | None:
        request, voice = capture.request, capture.request.voice
        spoken = self._price(model_for(request, self._settings), "characters", billed_chars(request.spoken_text))
        if request.operation is Operation.GENERATE and voice.kind is VoiceKind.PRESET:
            return None if spoken is None else Cost(spoken)
        is_clone = voice.kind is VoiceKind.CLONE
        fee = self._price(
            self._settings.enrolment_model if is_clone else self._settings.voice_design_model, "voices", 1
        )
        if request.operation is Operation.DESIGN:
            return None if fee is None else Cost(fee)  # the preview comes with the voice
        if fee is None or spoken is None:
            return None
        return Cost(fee + spoken) if request.operation is Operation.CLONE else Cost(spoken, voice.id, fee)

    def _price(self, item: str, unit: str, units: int) -> int | None:
        return self._prices.microusd("qwen", self._settings.region, item, unit, units)


@dataclass(slots=True)
class Bill:
    """What some captures cost together."""

    microusd: int = 0
    _voices: set[str] = field(default_factory=set)

    def more(self, cost: Cost) -> int:
        """What one capture adds: its voice only when no other has paid for it."""
        is_new = cost.voice is not None and cost.voice not in self._voices
        return cost.microusd + (cost.voice_microusd if is_new else 0)

    def add(self, cost: Cost) -> None:
        """Put a capture on the bill."""
        self.microusd += self.more(cost)
        if cost.voice is not None:
            self._voices.add(cost.voice)
