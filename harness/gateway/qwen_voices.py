"""Voices of callers made ready at Qwen: in their own time, once for all who wait, and only where that is allowed.

A creation is billed and knows no way back, so it goes on when the request that began it has fallen back to legacy.
Its outcome counts for the breaker on `clone`, whichever operation needed the voice, and an open one keeps it from
being asked for.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from harness.clock import Clock
from harness.errors import ErrorKind, NotAdmitted
from harness.exchanges import Consent, Failure, Lane
from harness.gateway.live_admission import LiveAdmission
from harness.providers.base import Deadline, PaidCall, Provider
from harness.routing.breaker import Permit
from harness.routing.breakers import Breaker, BreakerChange
from harness.speech import Voice, VoiceKind

__all__ = ["QwenVoices", "VoiceMade", "as_spoken_at_qwen", "consent_gap"]

log = logging.getLogger(__name__)

_MAKING_S: Final = 60.0
_SCOPE: Final = "clone:qwen"

# Told after each call that was paid for, with what it did to the breaker.
VoiceMade = Callable[[str | Failure | None, LiveAdmission, BreakerChange | None], None]


def as_spoken_at_qwen(voice: Voice) -> Voice:
    """A designed voice whose preview was kept is cloned from it: designed anew it would sound like somebody else."""
    if voice.kind is not VoiceKind.DESIGN or voice.reference is None:
        return voice
    return Voice(kind=VoiceKind.CLONE, id=voice.id, reference=voice.reference)


def consent_gap(voice: Voice, consent: Consent | None, *, region: str, now: datetime) -> str | None:
    """Why a person's recording must not go to Qwen; None when it may, or when it is nobody's."""
    if voice.kind is not VoiceKind.CLONE:
        return None
    if consent is None or _SCOPE not in consent.scope:
        return f"the consent for this voice does not cover {_SCOPE}"
    if consent.expires_at is not None and consent.expires_at <= now:
        return f"the consent for this voice expired on {consent.expires_at:%Y-%m-%d}"
    if consent.region is not None and consent.region != region:
        return f"the consent for this voice is for region {consent.region}"
    return None


class QwenVoices:
    """Use with `async with`: that owns what is being made."""

    def __init__(
        self,
        qwen: Provider,
        *,
        region: str,
        clock: Clock,
        kill_reason: Callable[[], str | None],
        breaker: Breaker,
        made: VoiceMade,
    ) -> None:
        """Prepare; nothing is made yet.

        Args:
            qwen: Where voices are made.
            region: Where that is, for consent.
            clock: The time.
            kill_reason: What cut Qwen off.
            breaker: On the way to making voices there.
            made: Gets what became of each voice, with what it cost.
        """
        self._qwen = qwen
        self._region = region
        self._clock = clock
        self._kill_reason = kill_reason
        self._breaker = breaker
        self._made = made
        self._group = asyncio.TaskGroup()
        self._making: dict[str, asyncio.Task[str | Failure | None]] = {}  # by recording

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is being made: it is paid for."""
        await self._group.__aexit__(kind, error, trace)

    async def ready(
        self, voice: Voice, *, language: str | None, consent: Consent | None, permit: Permit | None = None
    ) -> Failure | None:
        """None once Qwen can speak with this voice, else why it cannot; giving up the wait does not stop the making.

        Args:
            voice: Whose recording it is made from.
            language: Of its speaker.
            consent: To use the recording.
            permit: Of the breaker, where the caller asked for the voice itself; else one is asked for here.
        """
        if voice.kind is VoiceKind.PRESET:
            return None
        gap = consent_gap(voice, consent, region=self._region, now=self._clock.now())
        if gap is not None:
            return Failure(kind=ErrorKind.UNSUPPORTED, code="local.no_consent", detail=gap)
        spoken = as_spoken_at_qwen(voice)
        if spoken.reference is None:
            detail = "the voice has no recording to make it from"
            return Failure(kind=ErrorKind.UNSUPPORTED, code="local.no_reference", detail=detail)
        source = spoken.reference.sha256
        task = self._making.get(source)
        if task is None:
            task = self._making[source] = self._group.create_task(self._make(spoken, language, permit))
            task.add_done_callback(lambda _: self._making.pop(source, None))
        result = await asyncio.shield(task)
        return result if isinstance(result, Failure) else None

    async def _make(self, voice: Voice, language: str | None, permit: Permit | None) -> str | Failure | None:
        admission = _Making(self._kill_reason, self._breaker, permit)
        deadline = Deadline(self._clock, _MAKING_S)
        try:
            result = await self._qwen.prepare_voice(voice, language=language, admission=admission, deadline=deadline)
        except BaseException as error:
            admission.give_back()
            if not isinstance(error, Exception):
                raise
            # Raised into the group it would end the gateway, and not only this voice.
            log.exception("voice not made by our own fault")
            return Failure(kind=ErrorKind.INTERNAL, code=None, detail="our own fault")
        change = admission.end(result.kind if isinstance(result, Failure) else None)
        if admission.calls:
            self._made(result, admission, change)
        return result


class _Making(LiveAdmission):
    """Lets a creation out, if the breaker does; a voice that was made long ago never gets here."""

    def __init__(self, kill_reason: Callable[[], str | None], breaker: Breaker, given: Permit | None) -> None:
        super().__init__(Lane.CANDIDATE, kill_reason=kill_reason)
        self._breaker = breaker
        self._given = given
        self._own: Permit | None = None

    async def admit(self, call: PaidCall) -> None:
        """See `Admission`."""
        if self._given is None and self._own is None:
            self._own = self._breaker.ask_permit()
            if self._own is None:
                raise NotAdmitted("no voice is made at Qwen now: the breaker on it is open")
        await super().admit(call)

    def end(self, kind: ErrorKind | None) -> BreakerChange | None:
        """Tell the breaker what became of the voice; of a permit that was given only what failed.

        Whoever gave it still has the voice say something, and tells the breaker of that.
        """
        permit = self._own or (self._given if kind else None)
        if permit is None or not self.calls:
            self.give_back()
            return None
        return self._breaker.record(permit, kind)

    def give_back(self) -> None:
        """Nothing was learnt."""
        if self._own is not None:
            self._breaker.release(self._own)
