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
from harness.providers.draft import Draft
from harness.providers.pricing import PriceList
from harness.providers.qwen_terms import language_name
from harness.providers.realtime import Wish
from harness.providers.relay import Relay
from harness.speech import SpeechRequest

__all__ = ["Speaker", "Speaking"]


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
        self, request: SpeechRequest, speaker: Speaker, draft: Draft, deadline: Deadline, relay: Relay
    ) -> Speech | Failure:
        """The spoken text of `request`, paid for and fetched; what is learned on the way goes into `draft`."""
        draft.model, draft.voice_id = speaker
        counted = draft.counted_chars

        async def send() -> Answer[Spoken]:
            return self._priced(await self._say(request, speaker, deadline, relay), speaker.model, counted)

        worst = self.price_microusd(speaker.model, counted)
        spoken = await draft.attempts.pay("speak", send, worst_microusd=worst)
        if isinstance(spoken, Failure):
            return spoken
        self._note(spoken, draft)
        return await self._audio_of(spoken, draft, deadline)

    async def _say(self, request: SpeechRequest, speaker: Speaker, deadline: Deadline, relay: Relay) -> Answer[Spoken]:
        """One attempt, by the protocol that was chosen."""
        language = language_name(request.language)
        if self._settings.delivery is QwenDelivery.REALTIME:
            wish = Wish(
                text=request.spoken_text,
                voice=speaker.voice,
                language_type=language,
                instructions=request.instructions,
                mode=self._settings.realtime_mode,
            )
            return await self._api.speak_realtime(wish, model=speaker.model, deadline=deadline, relay=relay)
        return await self._api.speak(
            model=speaker.model,
            text=request.spoken_text,
            voice=speaker.voice,
            language_type=language,
            instructions=request.instructions,
            deadline=deadline,
            stream=relay if self._streams(request, relay) else None,
        )

    def _streams(self, request: SpeechRequest, relay: Relay) -> bool:
        delivery = self._settings.delivery
        is_asked_for = request.stream or relay.is_wanted
        return delivery is QwenDelivery.STREAM or (delivery is QwenDelivery.AS_CAPTURED and is_asked_for)

    def _priced(self, answer: Answer[Spoken], model: str, counted: int) -> Answer[Spoken]:
        """The answer with what it cost: by what the provider reports, else by the characters we count."""
        if isinstance(answer.result, Failure):
            return answer
        tokens = answer.result.tokens
        if tokens:
            microusd = self._prices.tokens_microusd("qwen", self._settings.region, model, tokens)
            return replace(answer, microusd=microusd, basis="reported tokens")
        # None or nothing at all is no count: what was spoken is not free.
        reported = answer.result.reported_chars
        chars, basis = (reported, "reported characters") if reported else (counted, "counted characters")
        return replace(answer, microusd=self.price_microusd(model, chars), basis=basis)

    @staticmethod
    def _note(spoken: Spoken, draft: Draft) -> None:
        draft.replied(spoken.reply)
        draft.reported_chars = spoken.reported_chars
        draft.facts |= spoken.facts
        if spoken.tokens:
            draft.facts["tokens"] = dict(spoken.tokens)  # and no characters, or none that count
        elif spoken.reported_chars is not None and spoken.reported_chars != draft.counted_chars:
            draft.facts["chars_drift"] = spoken.reported_chars - draft.counted_chars

    async def _audio_of(self, spoken: Spoken, draft: Draft, deadline: Deadline) -> Speech | Failure:
        """The audio itself: paid for already, so fetching it is repeated freely."""
        if spoken.url is None:
            return draft.accepted(spoken.audio or b"", arrived_s=spoken.reply.ended_s, stream=spoken.stream)
        url = self._addresses.audio_url(spoken.url)
        if isinstance(url, str):
            detail = f"the address of the audio was refused: {url}"
            return Failure(kind=ErrorKind.BAD_RESPONSE, code="local.audio_address", detail=detail)
        began_s = self._clock.monotonic()
        reply = await draft.attempts.fetch(lambda: self._api.download(url, deadline=deadline))
        draft.download_s = self._clock.monotonic() - began_s
        if isinstance(reply, Failure):
            return reply
        return draft.accepted(reply.body, arrived_s=reply.body_began_s)
