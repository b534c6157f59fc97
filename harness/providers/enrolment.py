"""Voices at Qwen: what they are made from, which exist, making one and never paying twice for the same.

A creation is billed, counts towards a thousand and knows no idempotency key. So it is sent again only when it surely
made nothing, and when that is unsure the account is searched for the name we gave (providers.md A7).
"""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Final, NamedTuple

from harness.clock import Clock
from harness.config import QwenSettings
from harness.errors import KINDS, Charge, ErrorKind
from harness.exchanges import Failure
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Deadline, References
from harness.providers.dashscope import AccountVoice, DashScope, MadeVoice, NewVoice, VoiceMaker
from harness.providers.pricing import PriceList
from harness.providers.qwen_terms import written_language
from harness.providers.reference import data_url, enrolment_problem, load_recording
from harness.providers.voice_pool import PoolVoice, RememberedVoice, sort_voices
from harness.providers.voices import VoiceKey, VoiceRegistry
from harness.speech import PROBE_TEXTS, Voice, VoiceKind

__all__ = ["Enrolment", "Recipe", "voice_key"]

log = logging.getLogger(__name__)

_LONGEST_NAME: Final = 16  # providers.md A5


class Recipe(NamedTuple):
    """What a voice is made from, and under which key it is remembered."""

    key: VoiceKey
    new: NewVoice


class Enrolment:
    """The voices of one account in one region."""

    def __init__(
        self,
        api: DashScope,
        settings: QwenSettings,
        *,
        account: str,
        prices: PriceList,
        references: References,
        registry: VoiceRegistry,
        clock: Clock,
    ) -> None:
        self._api = api
        self._settings = settings
        self._account = account
        self._prices = prices
        self._references = references
        self._registry = registry
        self._clock = clock
        self._making: defaultdict[VoiceKey, asyncio.Lock] = defaultdict(asyncio.Lock)

    def find(self, voice: Voice) -> str | None:
        """The id under which `voice` was made here before; None when it was not."""
        key = self._key(voice)
        return self._registry.get(key) if key else None

    def speaker(self, voice: Voice) -> str | None:
        """As `find`, for speech: that the voice is used is noted."""
        voice_id = self.find(voice)
        if voice_id is not None:
            self._registry.note_use(voice_id, used_at=self._clock.now())
        return voice_id

    def fee_microusd(self, kind: VoiceMaker) -> int | None:
        """What one voice costs."""
        settings = self._settings
        item = settings.enrolment_model if kind == "clone" else settings.voice_design_model
        return self._prices.microusd("qwen", settings.region, item, "voices", 1)

    def objection_to_making(self) -> Failure | None:
        """Why no voice may be made here; None once it was allowed."""
        if self._settings.allow_voice_creation:
            return None
        detail = (
            "this needs a new voice, which costs money and stays in the account; "
            "CUTOVER_QWEN__ALLOW_VOICE_CREATION=1 allows it, for one replay --allow-voice-create"
        )
        return _unsupported("voice_creation_off", detail)

    async def recipe(
        self, voice: Voice, *, language: str | None, preview_text: str | None, pooled: bool = False
    ) -> Recipe | Failure:
        """How `voice` would be made, or why it cannot or may not be; nothing is sent.

        Args:
            voice: What it is made from.
            language: What it mainly speaks; None leaves it open.
            preview_text: What a designed voice says first.
            pooled: It is made to be kept, so its name follows from what it is made from: should we be killed before
                we remember it, `missing` finds it again in the account instead of paying a second time.
        """
        objection = self.objection_to_making()
        if objection:
            return objection
        key = self._key(voice)
        if voice.kind is VoiceKind.DESIGN:
            if key is None or not voice.description:
                return _unsupported("no_description", "the voice has no description to design it from")
            preview = preview_text or PROBE_TEXTS.get(language or "en", PROBE_TEXTS["en"])
            new = NewVoice(
                kind="design",
                target_model=key.target_model,
                name=self._name(key, pooled=pooled),
                language=language or written_language(preview),  # without one it is taken for Chinese (A6)
                description=voice.description,
                preview_text=preview,
            )
            return Recipe(key, new)
        recording = await load_recording(self._references, voice)
        if isinstance(recording, Failure):
            return recording
        problem = await enrolment_problem(recording)
        if problem or key is None:
            return problem or _unsupported("no_reference", "the voice has no reference recording")
        new = NewVoice(
            kind="clone",
            target_model=key.target_model,
            name=self._name(key, pooled=pooled),
            language=language,
            audio_url=data_url(recording),
            transcript=recording.transcript,
        )
        return Recipe(key, new)

    async def make(self, recipe: Recipe, *, attempts: Attempts, deadline: Deadline) -> MadeVoice | Failure:
        """A new voice, paid for and not remembered: what is made to be measured must not be taken for the pool's."""
        fee = self.fee_microusd(recipe.new.kind)

        async def send() -> Answer[MadeVoice]:
            answer = await self._api.make_voice(recipe.new, deadline=deadline)
            if isinstance(answer.result, Failure):
                return answer
            return replace(answer, microusd=fee, basis="fee per voice")

        made = await attempts.pay(recipe.new.kind, send, worst_microusd=fee, creation=True)
        if isinstance(made, Failure) and attempts.count and KINDS[made.kind].charge is Charge.WORST:
            return await self._adopt(recipe, deadline) or made
        return made

    async def prepare(self, recipe: Recipe, *, attempts: Attempts, deadline: Deadline) -> str | Failure:
        """The id of the voice, made and remembered unless it was; two who ask at once get the same one."""
        async with self._making[recipe.key]:
            known = self._registry.get(recipe.key)
            if known:
                return known
            made = await self.make(recipe, attempts=attempts, deadline=deadline)
            if isinstance(made, Failure):
                return made
            self._remember(recipe.key, made)
            return made.voice_id

    def _remember(self, key: VoiceKey, made: MadeVoice) -> None:
        """Keep a voice; one of the degraded mode is still the voice there is, and somebody should know."""
        told = made.facts.get("fallback_mode")
        fallback_mode = told if isinstance(told, bool) else None
        if fallback_mode:
            reason = made.facts.get("fallback_reason")
            log.warning("voice was made in degraded mode", extra={"voice": made.voice_id, "reason": reason})
        self._registry.add(key, made.voice_id, made_at=self._clock.now(), fallback_mode=fallback_mode)

    async def missing(self, voices: Iterable[Voice]) -> list[Voice]:
        """Those that the account does not have; one that it has and we forgot is remembered again."""
        deadline = Deadline(self._clock, self._settings.deadline_s)
        wanted = [voice for voice in voices if voice.kind is not VoiceKind.PRESET]
        account: dict[VoiceMaker, set[str] | None] = {}
        for kind in sorted({_maker(voice) for voice in wanted}):
            account[kind] = await self._account_ids(kind, deadline)
        return [voice for voice in wanted if not self._exists(voice, account)]

    def forget(self, voice_id: str) -> None:
        """Remember no longer a voice that the provider says it does not have; the next replay makes it anew."""
        if voice_id in self._registry.all():
            log.warning("voice is gone from the account", extra={"voice": voice_id})
            self._registry.remove(voice_id, removed_at=self._clock.now())

    async def pool(self, *, deadline: Deadline) -> list[PoolVoice] | Failure:
        """Every voice of the account and every one we remember, each with whose it is."""
        listed = await self.listed(deadline=deadline)
        if isinstance(listed, Failure):
            return listed
        registry = self._registry
        remembered = {
            voice_id: RememberedVoice(
                key=key, used_at=registry.used_at(voice_id), degraded=registry.fallback_mode(voice_id) is True
            )
            for voice_id, key in registry.all().items()
            if (key.account, key.region) == (self._account, self._settings.region)
        }
        return sort_voices(listed, remembered, prefix=self._settings.voice_prefix)

    async def listed(self, *, deadline: Deadline) -> list[AccountVoice] | Failure:
        """Every voice of the account, cloned and designed."""
        cloned = await self._api.voices("clone", deadline=deadline)
        if isinstance(cloned, Failure):
            return cloned
        designed = await self._api.voices("design", deadline=deadline)
        return designed if isinstance(designed, Failure) else list(dict.fromkeys(cloned + designed))

    async def delete(self, voice_id: str) -> bool:
        """Whether the voice is surely gone from the account now."""
        deadline = Deadline(self._clock, self._settings.deadline_s)
        key = self._registry.all().get(voice_id)
        designed = key.target_model == self._settings.design_model if key else "-vd-" in voice_id
        gone = await self._api.delete_voice("design" if designed else "clone", voice_id, deadline=deadline)
        if gone:
            self._registry.remove(voice_id, removed_at=self._clock.now())
        return gone

    def _key(self, voice: Voice) -> VoiceKey | None:
        return voice_key(voice, self._settings, account=self._account)

    async def _adopt(self, recipe: Recipe, deadline: Deadline) -> MadeVoice | None:
        """The voice, should it have been made although no answer said so."""
        listed = await self._api.voices(recipe.new.kind, deadline=deadline)
        for voice in [] if isinstance(listed, Failure) else listed:
            if f"-{recipe.new.name}-" in voice.voice_id:
                log.info("voice found after an unsure creation", extra={"voice": voice.voice_id})
                facts = {"found_after_unsure_creation": True}
                return MadeVoice(voice_id=voice.voice_id, reply=None, preview=None, facts=facts)
        return None

    async def _account_ids(self, kind: VoiceMaker, deadline: Deadline) -> set[str] | None:
        listed = await self._api.voices(kind, deadline=deadline)
        if isinstance(listed, Failure):
            # Believing our own record risks a refused synthesis; not believing it, a second fee for every voice.
            log.warning("voices of the account could not be listed", extra={"kind": listed.kind.value})
            return None
        return {voice.voice_id for voice in listed}

    def _exists(self, voice: Voice, account: dict[VoiceMaker, set[str] | None]) -> bool:
        voice_id = self.find(voice)
        ids = account.get(_maker(voice))
        if voice_id and ids is not None and voice_id not in ids:
            self._registry.remove(voice_id, removed_at=self._clock.now())
            voice_id = None
        return voice_id is not None or self._found_again(voice, ids or set())

    def _found_again(self, voice: Voice, ids: set[str]) -> bool:
        """Whether the account holds the voice under its pooled name; we were killed before we remembered it."""
        key = self._key(voice)
        if key is None:
            return False
        for voice_id in sorted(ids):
            if f"-{self._name(key, pooled=True)}-" in voice_id:
                log.info("voice found again in the account", extra={"voice": voice_id})
                self._registry.add(key, voice_id, made_at=self._clock.now())
                return True
        return False

    def _name(self, key: VoiceKey, *, pooled: bool) -> str:
        """A name that tells whose voice it is: the same one each time for the pool, else one that was never used."""
        told = "|".join((key.account, key.region, key.target_model, key.source)).encode()
        unique = sha256(told).hexdigest() if pooled else secrets.token_hex(8)
        prefix = self._settings.voice_prefix
        return prefix + unique[: _LONGEST_NAME - len(prefix)]


def voice_key(voice: Voice, settings: QwenSettings, *, account: str) -> VoiceKey | None:
    """What `voice` is remembered under in an account; None for a preset, and when nothing says what it is made from."""
    if voice.kind is VoiceKind.DESIGN:
        source = sha256(voice.description.encode()).hexdigest() if voice.description else None
        model = settings.design_model
    else:
        source = voice.reference.sha256 if voice.reference else None
        model = settings.clone_model
    if source is None:
        return None
    return VoiceKey(account=account, region=settings.region, target_model=model, source=source)


def _maker(voice: Voice) -> VoiceMaker:
    return "design" if voice.kind is VoiceKind.DESIGN else "clone"


def _unsupported(code: str, detail: str) -> Failure:
    return Failure(kind=ErrorKind.UNSUPPORTED, code=f"local.{code}", detail=detail)
