"""The official Qwen API as a `Provider`: which model and voice a request needs, what it costs, where its audio lies."""

from collections.abc import Iterable
from random import Random
from types import TracebackType
from typing import Self

from harness.clock import Clock
from harness.config import QwenSettings, Settings
from harness.errors import ConfigError, ErrorKind
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.addresses import Addresses, base_url
from harness.providers.attempts import Attempts
from harness.providers.base import Admission, AudioSink, Deadline, References
from harness.providers.dashscope import AccountVoice, DashScope
from harness.providers.door import Door, Limits, secret_header
from harness.providers.draft import Draft
from harness.providers.enrolment import Enrolment
from harness.providers.pricing import PriceList
from harness.providers.qwen_speech import Speaker, Speaking
from harness.providers.qwen_terms import model_for, objection_to, preset_name
from harness.providers.relay import Relay, SinkFailed
from harness.providers.retry import RetryPolicy
from harness.providers.retry_budget import RetryBudget
from harness.providers.voice_pool import PoolVoice
from harness.providers.voices import VoiceRegistry
from harness.speech import Operation, SpeechRequest, Voice, VoiceKind, billed_chars

__all__ = ["QwenProvider", "open_from"]


class QwenProvider:
    """Qwen's hosted speech in one region. Use with `async with`."""

    name = "qwen"

    def __init__(
        self,
        settings: QwenSettings,
        *,
        prices: PriceList,
        references: References,
        voices: VoiceRegistry,
        allow_hosts: Iterable[str],
        clock: Clock,
        random: Random | None = None,
    ) -> None:
        """Check the settings; nothing is sent.

        Raises:
            ConfigError: The key is missing or unusable, or the base address is not safe.
        """
        if settings.api_key is None:
            raise ConfigError("CUTOVER_QWEN__API_KEY is not set (DASHSCOPE_API_KEY would do); the Qwen API needs a key")
        allow_hosts = frozenset(allow_hosts)
        base = base_url(settings.base_url, "CUTOVER_QWEN__BASE_URL", allow_hosts)
        secrets = {"Authorization": f"Bearer {secret_header(settings.api_key, 'CUTOVER_QWEN__API_KEY')}"}
        if settings.workspace:
            secrets["X-DashScope-WorkSpace"] = settings.workspace
        limits = Limits(
            connect_timeout_s=settings.connect_timeout_s,
            read_timeout_s=settings.read_timeout_s,
            max_reply_bytes=settings.max_reply_bytes,
        )
        self._settings = settings
        self._prices = prices
        self._clock = clock
        self._policy = RetryPolicy(
            max_attempts=settings.max_attempts,
            random=random or Random(),
            budget=RetryBudget(share=settings.retry_share),
        )
        addresses = Addresses(origin=base, hosts=settings.audio_hosts, allow_hosts=allow_hosts)
        self._door = Door(origin=base, addresses=addresses, secrets=secrets, limits=limits, clock=clock)
        self._api = DashScope(self._door, base, settings, clock)
        self._speaking = Speaking(self._api, addresses, settings, prices=prices, clock=clock)
        self._enrolment = Enrolment(
            self._api,
            settings,
            account=settings.account or base.authority,
            prices=prices,
            references=references,
            registry=voices,
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        await self._door.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._door.__aexit__(kind, error, trace)

    async def synthesize(
        self,
        request: SpeechRequest,
        *,
        admission: Admission,
        deadline: Deadline,
        sink: AudioSink | None = None,
    ) -> Exchange:
        """See `Provider`; a stream over events or realtime reaches the sink, a file does not."""
        draft = Draft(
            request,
            self._attempts(admission, deadline),
            provider=self.name,
            model=model_for(request, self._settings),
            region=self._settings.region,
            price_version=self._prices.version,
        )
        relay = Relay(sink, deadline, self._clock)
        try:
            result = self._objection(request) or await self._perform(request, draft, deadline, relay)
        except SinkFailed as gone:
            result = gone.failure()
        draft.facts |= relay.facts()
        return draft.finish(result)

    def worst_microusd(self, request: SpeechRequest) -> int | None:
        """See `Provider`; 0 for a request that is refused before anything is sent."""
        if self._objection(request):
            return 0
        if request.operation is Operation.DESIGN:
            return self._enrolment.fee_microusd("design")
        spoken = self._speaking.price_microusd(model_for(request, self._settings), billed_chars(request.spoken_text))
        if request.operation is Operation.GENERATE:
            return spoken
        fee = self._enrolment.fee_microusd("clone")
        return None if fee is None or spoken is None else fee + spoken

    async def prepare_voice(
        self, voice: Voice, *, language: str | None, admission: Admission, deadline: Deadline
    ) -> str | Failure | None:
        """See `Provider`."""
        if voice.kind is VoiceKind.PRESET:
            return preset_name(voice)
        known = self._enrolment.find(voice)
        if known:
            return known
        preview_text = voice.reference.transcript if voice.reference else None
        recipe = await self._enrolment.recipe(voice, language=language, preview_text=preview_text, pooled=True)
        if isinstance(recipe, Failure):
            return recipe
        attempts = self._attempts(admission, deadline)
        return await self._enrolment.prepare(recipe, attempts=attempts, deadline=deadline)

    async def missing_voices(self, voices: Iterable[Voice]) -> list[Voice]:
        """See `Provider`."""
        return await self._enrolment.missing(voices)

    async def delete_voice(self, voice_id: str) -> bool:
        """See `Provider`."""
        return await self._enrolment.delete(voice_id)

    async def account_voices(self) -> list[AccountVoice] | Failure:
        """Every voice in the account; free, so it also tells whether key and address are right."""
        return await self._enrolment.listed(deadline=Deadline(self._clock, self._settings.deadline_s))

    @property
    def clock_skew_s(self) -> float | None:
        """How far our clock is ahead of the provider's; None before its first reply."""
        return self._door.skew_s

    async def voice_pool(self) -> list[PoolVoice] | Failure:
        """Every voice of the account with whose it is; free."""
        return await self._enrolment.pool(deadline=Deadline(self._clock, self._settings.deadline_s))

    def remembered_voice(self, voice: Voice) -> str | None:
        """The id under which the account made this voice before; None when it did not, as far as we remember."""
        return self._enrolment.find(voice)

    def forget_voice(self, voice_id: str) -> None:
        """Remember a voice no longer that is gone from the account."""
        self._enrolment.forget(voice_id)

    def _objection(self, request: SpeechRequest) -> Failure | None:
        """Why the request cannot or may not be done; None when it may."""
        objection = objection_to(request, self._settings)
        if objection or request.voice.kind is VoiceKind.PRESET:
            return objection
        known = request.operation is Operation.GENERATE and self._enrolment.find(request.voice)
        return None if known else self._enrolment.objection_to_making()

    def _attempts(self, admission: Admission, deadline: Deadline) -> Attempts:
        return Attempts(self.name, admission=admission, deadline=deadline, policy=self._policy, clock=self._clock)

    async def _perform(
        self, request: SpeechRequest, draft: Draft, deadline: Deadline, relay: Relay
    ) -> Speech | Failure:
        match request.operation:
            case Operation.DESIGN:
                return await self._design(request, draft, deadline)
            case Operation.CLONE:
                speaker = await self._clone(request, draft, deadline)
            case Operation.GENERATE:
                speaker = self._speaker(request)
        if isinstance(speaker, Failure):
            return speaker
        result = await self._speaking.speak(request, speaker, draft, deadline, relay)
        if isinstance(result, Failure) and result.kind is ErrorKind.VOICE_NOT_FOUND:
            self._enrolment.forget(speaker.voice)
        return result

    def _speaker(self, request: SpeechRequest) -> Speaker | Failure:
        """Who speaks a `generate`: a preset, or a voice that was prepared before."""
        if request.voice.kind is VoiceKind.PRESET:
            return Speaker(model_for(request, self._settings), preset_name(request.voice))
        voice_id = self._enrolment.speaker(request.voice)
        if voice_id is None:
            detail = "the voice was not prepared in this account, region and model"
            return Failure(kind=ErrorKind.VOICE_NOT_FOUND, code="local.not_prepared", detail=detail)
        return Speaker(model_for(request, self._settings), voice_id)

    async def _clone(self, request: SpeechRequest, draft: Draft, deadline: Deadline) -> Speaker | Failure:
        """A new voice of the reference; it returns no audio, so it then speaks the probe."""
        draft.unit = "voices"
        recipe = await self._enrolment.recipe(request.voice, language=request.language, preview_text=None)
        if isinstance(recipe, Failure):
            return recipe
        made = await self._enrolment.make(recipe, attempts=draft.attempts, deadline=deadline)
        if isinstance(made, Failure):
            return made
        draft.voices = 1
        draft.facts |= made.facts
        return Speaker(recipe.key.target_model, made.voice_id)

    async def _design(self, request: SpeechRequest, draft: Draft, deadline: Deadline) -> Speech | Failure:
        """A new voice from its description; its preview comes with the reply."""
        draft.unit = "voices"
        recipe = await self._enrolment.recipe(
            request.voice, language=request.language, preview_text=request.spoken_text
        )
        if isinstance(recipe, Failure):
            return recipe
        made = await self._enrolment.make(recipe, attempts=draft.attempts, deadline=deadline)
        if isinstance(made, Failure):
            return made
        draft.voices = 1
        draft.voice_id = made.voice_id
        draft.facts |= made.facts
        if made.reply is None or made.preview is None:
            return Failure(kind=ErrorKind.BAD_RESPONSE, code=None, detail="the voice came without its preview")
        draft.replied(made.reply)
        return draft.accepted(made.preview, arrived_s=made.reply.ended_s)


def open_from(settings: Settings, *, account: str | None, references: References, clock: Clock) -> QwenProvider:
    """The API that the settings name; voices are remembered under `account`, if one is given. Raises ConfigError."""
    qwen = settings.qwen if account is None else settings.qwen.model_copy(update={"account": account})
    return QwenProvider(
        qwen,
        prices=PriceList.load(settings.prices),
        references=references,
        voices=VoiceRegistry(settings.home / "voices.jsonl"),
        allow_hosts=settings.allow_hosts,
        clock=clock,
    )
