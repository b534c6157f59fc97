"""The legacy path as a `Provider`: open Qwen3-TTS, self-hosted on Modal (providers.md B1, B4).

It keeps no voices: the reference goes along with every call. It bills seconds of a GPU, not characters.
"""

import json
import math
from collections.abc import Iterable
from random import Random
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydantic import SecretStr
from yarl import URL

from harness.clock import Clock
from harness.config import ModalSettings
from harness.errors import ConfigError, ErrorKind
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.addresses import Addresses, base_url
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Admission, Deadline, References
from harness.providers.codes import modal_failure
from harness.providers.delivery import accept
from harness.providers.door import Door, Fault, Limits, Reply, secret_header
from harness.providers.draft import Draft
from harness.providers.pricing import PriceList
from harness.providers.reference import load_recording
from harness.providers.retry import RetryPolicy, retry_after_s
from harness.speech import LANGUAGES, Operation, SpeechRequest, Voice, VoiceKind

__all__ = ["ModalProvider"]


class _Order(NamedTuple):
    """What to send where."""

    path: str
    body: dict[str, Any]
    private: tuple[str | None, ...]  # the caller's words


class _Work(NamedTuple):
    """A reply, and what it took."""

    reply: Reply  # carries the audio
    sent_s: float  # when the paid call began, on the monotonic scale
    hops: int
    gpu_s: float
    basis: str


class ModalProvider:
    """The deployment in one region. Use with `async with`."""

    name = "modal"

    def __init__(
        self,
        settings: ModalSettings,
        *,
        prices: PriceList,
        references: References,
        allow_hosts: Iterable[str],
        clock: Clock,
        random: Random | None = None,
    ) -> None:
        """Check the settings; nothing is sent.

        Raises:
            ConfigError: The address is missing or not safe, or only one half of the key is given.
        """
        if settings.base_url is None:
            raise ConfigError("CUTOVER_MODAL__BASE_URL is not set; it is the address of the deployment on Modal")
        allow_hosts = frozenset(allow_hosts)
        self._base = base_url(settings.base_url, "CUTOVER_MODAL__BASE_URL", allow_hosts)
        addresses = Addresses(origin=self._base, hosts=None, allow_hosts=allow_hosts)
        limits = Limits(
            connect_timeout_s=settings.connect_timeout_s,
            read_timeout_s=settings.read_timeout_s,
            max_reply_bytes=settings.max_reply_bytes,
        )
        secrets = _secrets(settings.key, settings.secret)
        self._settings = settings
        self._prices = prices
        self._references = references
        self._clock = clock
        self._policy = RetryPolicy(max_attempts=settings.max_attempts, random=random or Random())
        self._door = Door(origin=self._base, addresses=addresses, secrets=secrets, limits=limits, clock=clock)

    async def __aenter__(self) -> Self:
        await self._door.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._door.__aexit__(kind, error, trace)

    async def synthesize(self, request: SpeechRequest, *, admission: Admission, deadline: Deadline) -> Exchange:
        """See `Provider`."""
        attempts = Attempts(self.name, admission=admission, deadline=deadline, policy=self._policy, clock=self._clock)
        draft = Draft(
            request,
            attempts,
            provider=self.name,
            model=self._settings.model,
            region=self._settings.region,
            price_version=self._prices.version,
        )
        draft.unit = "gpu_s"
        order = await self._order(request)
        result = order if isinstance(order, Failure) else await self._perform(order, draft, deadline)
        return draft.finish(result)

    def worst_microusd(self, request: SpeechRequest) -> int | None:
        """See `Provider`: a GPU busy for as long as we would wait at all.

        A true bound and a high one, some hundred times what a call takes; what is not used is given back at once.
        """
        return 0 if _objection_to(request) else self._gpu_microusd(self._settings.deadline_s)

    async def prepare_voice(
        self, voice: Voice, *, language: str | None, admission: Admission, deadline: Deadline
    ) -> str | Failure | None:
        """See `Provider`: nothing to prepare."""
        return None

    async def missing_voices(self, voices: Iterable[Voice]) -> list[Voice]:
        """See `Provider`: none."""
        return []

    async def delete_voice(self, voice_id: str) -> bool:
        """See `Provider`: there never was one."""
        return True

    def _gpu_microusd(self, gpu_s: float) -> int | None:
        return self._prices.microusd(self.name, self._settings.region, self._settings.gpu, "gpu_s", gpu_s)

    async def _order(self, request: SpeechRequest) -> _Order | Failure:
        """The call that does what `request` wants, or why there is none."""
        objection = _objection_to(request)
        if objection:
            return objection
        text, voice, instruct = request.spoken_text, request.voice, request.instructions
        body: dict[str, Any] = {"text": text, "language": LANGUAGES[request.language] if request.language else "Auto"}
        if request.operation is Operation.DESIGN:
            return _Order("design", body | {"instruct": voice.description}, (text, voice.description))
        if request.operation is Operation.GENERATE and voice.kind is VoiceKind.PRESET:
            speaker = voice.id.replace(" ", "_")  # "Ono_Anna" where Qwen says "Ono Anna" (providers.md C)
            return _Order("generate", body | {"speaker": speaker, "instruct": instruct}, (text, instruct))
        recording = await load_recording(self._references, voice)
        if isinstance(recording, Failure):
            return recording
        body |= {"ref_audio_base64": recording.encoded, "ref_text": recording.transcript}
        return _Order("clone", body, (text, recording.transcript))

    async def _perform(self, order: _Order, draft: Draft, deadline: Deadline) -> Speech | Failure:
        worst = self._gpu_microusd(self._settings.deadline_s)
        work = await draft.attempts.pay("speak", lambda: self._work(order, draft, deadline), worst_microusd=worst)
        if isinstance(work, Failure):
            return work
        self._note(work, draft)
        delivery = accept(work.reply.body)
        if isinstance(delivery, Failure):
            return delivery
        draft.delivered(delivery, arrived_s=work.reply.body_began_s)
        return delivery.speech
