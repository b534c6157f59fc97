"""One short sentence at a provider, which costs money: the only proof that the real service speaks as we think."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from harness.clock import Clock
from harness.config import Settings
from harness.doctor.check import Check, Mark
from harness.doctor.reaching import opened
from harness.exchanges import Exchange, Failure, Speech
from harness.preset_voices import EVERYWHERE
from harness.providers.base import Deadline, FreeAdmission, Provider
from harness.providers.catalogue import open_modal, open_qwen
from harness.speech import Operation, SpeechRequest, Voice, VoiceKind

__all__ = ["smoke"]

_RATE_HZ: Final = 24_000  # of both providers (providers.md 0)
# At Qwen one letter of every script, so that the call also tells how each is counted (providers.md A8, F7).
_TEXTS: Final = MappingProxyType({"qwen": "Hello, 你好, かな, 한글.", "modal": "Hello."})


async def smoke(name: str, settings: Settings, *, clock: Clock, announce: Callable[[int | None], bool]) -> Check:
    """One short sentence at a provider, once `announce` has agreed to what it may cost in micro-dollars."""
    request = SpeechRequest(
        operation=Operation.GENERATE,
        text=_TEXTS[name],
        language=None,
        voice=Voice(kind=VoiceKind.PRESET, id=EVERYWHERE),
    )
    opener: Callable[..., Provider] = open_qwen if name == "qwen" else open_modal
    async with opened(name, opener, settings, clock) as provider:
        if isinstance(provider, Check):
            return provider
        if not announce(provider.worst_microusd(request)):
            return Check(f"{name} speech", Mark.SKIPPED, "nothing was sent; --smoke --yes sends it")
        deadline = Deadline(clock, settings.qwen.deadline_s if name == "qwen" else settings.modal.deadline_s)
        exchange = await provider.synthesize(request, admission=FreeAdmission(), deadline=deadline)
    if isinstance(exchange.result, Failure):
        return Check(f"{name} speech", Mark.BAD, exchange.result.detail)
    return _spoken(f"{name} speech", exchange, exchange.result)


def _spoken(name: str, exchange: Exchange, speech: Speech) -> Check:
    """How the speech came, and whether it is what every comparison takes for granted."""
    cost = "unknown cost" if exchange.cost.microusd is None else f"${exchange.cost.microusd / 1e6:.6f}"
    words = f"{len(speech.audio)} bytes in {exchange.timing.service_s:.2f} s for {cost}"
    reported, counted = exchange.usage.reported_chars, exchange.usage.counted_chars
    if reported is not None and reported != counted:
        words += f"; {reported} characters were billed where we count {counted}, so forecasts of cost are off"
        return Check(name, Mark.WARNING, words)
    if speech.sample_rate_hz != _RATE_HZ:
        return Check(name, Mark.WARNING, f"{words}; it has {speech.sample_rate_hz} Hz, not {_RATE_HZ}")
    return Check(name, Mark.OK, words)
