"""What captured traffic costs at either provider, forecast without asking them. None means unknown, never free."""

from collections.abc import Container, Sequence
from typing import NamedTuple

from harness.config import ModalSettings, QwenSettings
from harness.exchanges import Capture
from harness.providers.container_rate import ContainerRate
from harness.providers.gpu_time import idle_seconds
from harness.providers.pricing import PriceList
from harness.providers.qwen_terms import model_for
from harness.speech import Operation, Voice, VoiceKind, billed_chars
from replay.obstacles import needs_voice

__all__ = ["Bill", "modal_bill", "qwen_bill"]


class Bill(NamedTuple):
    """What the captured traffic costs at one provider, in dollars."""

    usd: float | None  # marginal: of the work alone
    fully_loaded_usd: float | None  # with what runs beside it, a GPU that waits
    basis: str


def qwen_bill(captures: Sequence[Capture], settings: QwenSettings, prices: PriceList, migrated: Container[str]) -> Bill:
    """Its characters, and a fee for each voice that has to be made; nothing runs beside that."""
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
    known = [amount for amount in amounts if amount is not None]
    usd = sum(known) / 1e6 if len(known) == len(amounts) else None
    return Bill(usd, usd, f"{len(captures)} captures by counted characters, {len(voices)} voices to be made")


def modal_bill(captures: Sequence[Capture], settings: ModalSettings, prices: PriceList) -> Bill:
    """The seconds that production waited, as seconds of a GPU; fully loaded with its idle time between them.

    A cold start that production waited for is within the seconds it waited. Work that was done side by side on one GPU
    is not divided, so the marginal bill is a bound from above.
    """
    calls = [
        (capture.captured_at.timestamp(), capture.captured_at.timestamp() + capture.observed.total_s)
        for capture in captures
        if capture.observed and capture.observed.total_s is not None
    ]
    rate = ContainerRate(settings, prices)
    basis = f"{len(calls)} of {len(captures)} captures by observed seconds of {rate.words}"
    if len(calls) < len(captures):
        return Bill(None, None, basis)
    busy_s = sum(ended_s - began_s for began_s, ended_s in calls)
    idle_s, starts = idle_seconds(calls, window_s=settings.scaledown_window_s)

    words = f"{basis}, {busy_s:,.0f} s busy and {idle_s:,.0f} s idle after {starts} starts"
    return Bill(_usd(rate.microusd(busy_s)), _usd(rate.microusd(busy_s + idle_s)), words)


def _usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / 1e6
