"""What each lane is asked for a caller's request, in terms it can do."""

from collections.abc import Mapping
from dataclasses import replace

from harness.exchanges import Cost, Exchange, Failure, Lane, Timing, Usage
from harness.gateway.journey import Journey
from harness.gateway.qwen_voices import QwenVoices, as_spoken_at_qwen
from harness.providers.base import Admission, AudioSink, Deadline, Provider
from harness.routing.breaker import Permit
from harness.speech import Operation, SpeechRequest, billed_chars

__all__ = ["Lanes", "wish_for"]


def wish_for(lane: Lane, request: SpeechRequest) -> SpeechRequest:
    """The request as this lane's provider gets it."""
    if lane is Lane.CANDIDATE and request.operation is Operation.GENERATE:
        return replace(request, voice=as_spoken_at_qwen(request.voice))
    return request


class Lanes:
    """The providers of the live path, each opened with one attempt a call: the other lane is the second one."""

    def __init__(self, providers: Mapping[Lane, Provider], *, voices: QwenVoices | None) -> None:
        """Take the open providers; without legacy, as after its retirement, there is no control."""
        self._providers = providers
        self._voices = voices

    def __contains__(self, lane: Lane | None) -> bool:
        return lane in self._providers

    def name(self, lane: Lane) -> str:
        """The provider's name."""
        return self._providers[lane].name

    async def ask(
        self,
        lane: Lane,
        journey: Journey,
        *,
        permit: Permit,
        admission: Admission,
        deadline: Deadline,
        sink: AudioSink | None,
    ) -> Exchange:
        """What the lane makes of the request that `permit` lets out; a voice that Qwen does not have is made first."""
        provider, request = self._providers[lane], wish_for(lane, journey.request)
        if lane is not Lane.CANDIDATE or self._voices is None or request.operation is Operation.DESIGN:
            return await provider.synthesize(request, admission=admission, deadline=deadline, sink=sink)
        # To make a voice is what `clone` was let out for; for a sentence it takes a leave of its own.
        given = permit if request.operation is Operation.CLONE else None
        problem = await self._voices.ready(
            journey.request.voice, language=request.language, consent=journey.consent, permit=given
        )
        if problem is not None:
            return self.unsent(lane, journey, problem)
        spoken = replace(request, operation=Operation.GENERATE, text=request.spoken_text)
        exchange = await provider.synthesize(spoken, admission=admission, deadline=deadline, sink=sink)
        return replace(exchange, operation=request.operation)

    def unsent(
        self, lane: Lane, journey: Journey, failure: Failure, *, service_s: float = 0.0, microusd: int | None = 0
    ) -> Exchange:
        """An exchange that no provider finished."""
        chars = billed_chars(journey.request.spoken_text)
        return Exchange(
            provider=self.name(lane),
            model=None,
            region=None,
            operation=journey.request.operation,
            result=failure,
            timing=Timing(sent_at=journey.arrived_at, service_s=service_s),
            usage=Usage(unit="characters", units=0.0, counted_chars=chars),
            cost=Cost(microusd=microusd, basis="stopped by us, at worst" if microusd != 0 else "nothing was sent"),
            attempts=1 if microusd != 0 else 0,
        )

    async def delete_voice(self, lane: Lane, voice_id: str) -> None:
        """Take a voice out of the account that nobody will speak with."""
        await self._providers[lane].delete_voice(voice_id)
