"""A voice of the Qwen API says a text: by which protocol, for how much, and the audio fetched from where it lies."""

from dataclasses import replace
from typing import NamedTuple

from harness.clock import Clock
from harness.config import QwenDelivery, QwenSettings
from harness.errors import ErrorKind
from harness.exchanges import Failure, Speech
from harness.providers.addresses import Addresses
from harness.providers.attempts import Answer
from harness.providers.base import Deadline
from harness.providers.dashscope import DashScope
from harness.providers.dashscope_speech import Spoken
from harness.providers.delivery import accept
from harness.providers.draft import Draft
from harness.providers.pcm_stream import PcmStream
from harness.providers.pricing import PriceList
from harness.providers.qwen_terms import language_name
from harness.providers.realtime import Wish
from harness.speech import SpeechRequest

__all__ = ["Speaker", "Speaking", "accepted"]


class Speaker(NamedTuple):
    """Who is to speak, in the provider's words."""

    model: str
    voice: str


class Speaking:
    """Synthesis in one account and region."""

    def __init__(
        self, api: DashScope, addresses: Addresses, settings: QwenSettings, *, prices: PriceList, clock: Clock
    ) -> None:
        self._api = api
        self._addresses = addresses
        self._settings = settings
        self._prices = prices
        self._clock = clock

    def price_microusd(self, model: str, chars: int) -> int | None:
        """What so many billed characters cost; None when nobody knows."""
        return self._prices.microusd("qwen", self._settings.region, model, "characters", chars)

    async def speak(
        self, request: SpeechRequest, speaker: Speaker, draft: Draft, deadline: Deadline
    ) -> Speech | Failure:
        """The spoken text of `request`, paid for and fetched; what is learned on the way goes into `draft`."""
        draft.model, draft.voice_id = speaker
        counted = draft.counted_chars

        async def send() -> Answer[Spoken]:
            return self._priced(await self._say(request, speaker, deadline), speaker.model, counted)

        worst = self.price_microusd(speaker.model, counted)
        spoken = await draft.attempts.pay("speak", send, worst_microusd=worst)
        if isinstance(spoken, Failure):
            return spoken
        self._note(spoken, draft)
        return await self._audio_of(spoken, draft, deadline)

    async def _say(self, request: SpeechRequest, speaker: Speaker, deadline: Deadline) -> Answer[Spoken]:
        """One attempt, by the protocol that was chosen."""
        language = language_name(request.language)
        if self._settings.delivery is QwenDelivery.REALTIME:
            wish = Wish(
                text=request.spoken_text,
                voice=speaker.voice,
                language_type=language,
                instructions=request.instructions,
            )
            return await self._api.speak_realtime(wish, model=speaker.model, deadline=deadline)
        return await self._api.speak(
            model=speaker.model,
            text=request.spoken_text,
            voice=speaker.voice,
            language_type=language,
            instructions=request.instructions,
            deadline=deadline,
            stream=self._streams(request),
        )

    def _streams(self, request: SpeechRequest) -> bool:
        delivery = self._settings.delivery
        return delivery is QwenDelivery.STREAM or (delivery is QwenDelivery.AS_CAPTURED and request.stream)

    def _priced(self, answer: Answer[Spoken], model: str, counted: int) -> Answer[Spoken]:
        """The answer with what it cost: by the characters the provider reports, else by those we count."""
        if isinstance(answer.result, Failure):
            return answer
        reported = answer.result.reported_chars
        chars, basis = (counted, "counted characters") if reported is None else (reported, "reported characters")
        return replace(answer, microusd=self.price_microusd(model, chars), basis=basis)

    @staticmethod
    def _note(spoken: Spoken, draft: Draft) -> None:
        draft.replied(spoken.reply)
        draft.reported_chars = spoken.reported_chars
        draft.facts |= spoken.facts
        if spoken.reported_chars is not None and spoken.reported_chars != draft.counted_chars:
            draft.facts["chars_drift"] = spoken.reported_chars - draft.counted_chars

    async def _audio_of(self, spoken: Spoken, draft: Draft, deadline: Deadline) -> Speech | Failure:
        """The audio itself: paid for already, so fetching it is repeated freely."""
        if spoken.url is None:
            return accepted(spoken.audio or b"", draft, arrived_s=spoken.reply.ended_s, stream=spoken.stream)
        url = self._addresses.audio_url(spoken.url)
        if isinstance(url, str):
            detail = f"the address of the audio was refused: {url}"
            return Failure(kind=ErrorKind.BAD_RESPONSE, code="local.audio_address", detail=detail)
        began_s = self._clock.monotonic()
        reply = await draft.attempts.fetch(lambda: self._api.download(url, deadline=deadline))
        draft.download_s = self._clock.monotonic() - began_s
        if isinstance(reply, Failure):
            return reply
        return accepted(reply.body, draft, arrived_s=reply.body_began_s)


def accepted(body: bytes, draft: Draft, *, arrived_s: float, stream: PcmStream | None = None) -> Speech | Failure:
    """What was delivered, if it is audio; when it could first be heard goes into `draft`.

    Args:
        body: The audio as it came.
        draft: Of the exchange.
        arrived_s: When its first byte was here, on the monotonic scale.
        stream: When each part was, if it came in parts.
    """
    delivery = accept(body)
    if isinstance(delivery, Failure):
        return delivery
    if stream is not None:
        # It could be heard before it was all here, but not before its first sound was.
        arrived_s = stream.start_s(delivery.leading_silence_s or 0.0)
    draft.delivered(delivery, arrived_s=arrived_s)
    return delivery.speech
