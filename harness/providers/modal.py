"""The legacy path as a `Provider`: open Qwen3-TTS, self-hosted on Modal (providers.md B1, B4).

It keeps no voices: the reference goes along with every call. It bills seconds of a GPU, not characters.
"""

from collections.abc import Iterable
from random import Random
from types import TracebackType
from typing import Final, Self

from harness.clock import Clock
from harness.config import ModalDialect, ModalSettings, Settings
from harness.errors import ConfigError
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.addresses import Addresses
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Admission, AudioSink, Deadline, References
from harness.providers.container_rate import ContainerRate
from harness.providers.door import Door, Limits, secret_header
from harness.providers.draft import Draft
from harness.providers.gpu_time import GpuDiary, GpuShare
from harness.providers.modal_calls import REPORTED, Deployment, Work
from harness.providers.modal_endpoints import ModalEndpoints
from harness.providers.modal_health import Health, HealthCheck
from harness.providers.modal_openai import openai_order_for, streamed
from harness.providers.modal_terms import Order, objection_to, order_for
from harness.providers.pricing import PriceList
from harness.providers.relay import Relay, SinkFailed
from harness.providers.reply import Fault
from harness.providers.retry import RetryPolicy
from harness.providers.retry_budget import RetryBudget
from harness.speech import SpeechRequest, Voice

__all__ = ["ModalProvider", "open_from"]

_TOKENS: Final = "x-vllm-omni-"  # headers such as x-vllm-omni-input-tokens (providers.md B3)


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
        allow_hosts = frozenset(allow_hosts)
        endpoints = ModalEndpoints(settings, allow_hosts)
        origin, *origins = endpoints.origins
        addresses = Addresses(origin=origin, hosts=None, allow_hosts=allow_hosts, origins=origins)
        limits = Limits(
            connect_timeout_s=settings.connect_timeout_s,
            read_timeout_s=settings.read_timeout_s,
            max_reply_bytes=settings.max_reply_bytes,
        )
        secrets = _secrets(settings)
        self._endpoints = endpoints
        self._diary = GpuDiary(settings.scaledown_window_s)
        self._settings = settings
        self._prices = prices
        self._references = references
        self._clock = clock
        self._policy = RetryPolicy(
            max_attempts=settings.max_attempts,
            random=random or Random(),
            budget=RetryBudget(share=settings.retry_share),
        )
        self._door = Door(
            origin=origin, addresses=addresses, secrets=secrets, limits=limits, clock=clock, origins=origins
        )
        self._rate = ContainerRate(settings, prices)
        self._deployment = Deployment(self._door, endpoints, settings, price=self._rate.microusd, clock=clock)
        self._order_for = openai_order_for if settings.dialect is ModalDialect.OPENAI else order_for
        self._health = HealthCheck(self._door, endpoints.url("health"), every_s=settings.health_every_s, clock=clock)

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
        """See `Provider`; only the dialect of vLLM-Omni streams, and so reaches the sink."""
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
        relay = Relay(sink, deadline, self._clock)
        order = await self._order_for(request, self._references)
        try:
            result = (
                order if isinstance(order, Failure) else await self._perform(request, order, draft, deadline, relay)
            )
        except SinkFailed as gone:
            result = gone.failure()
        draft.facts |= relay.facts()
        return draft.finish(result)

    def worst_microusd(self, request: SpeechRequest) -> int | None:
        """See `Provider`: a GPU busy for as long as we would wait at all.

        A true bound and a high one, some hundred times what a call takes; what is not used is given back at once.
        """
        return 0 if objection_to(request) else self._rate.microusd(self._settings.deadline_s)

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

    async def health(self) -> Health | Failure:
        """How the deployment is; asked rarely, since asking can start a GPU and that is billed."""
        return await self._health.ask(Deadline(self._clock, self._settings.deadline_s))

    async def reach(self) -> int | Failure:
        """The status of a call without the key: proxy authorization answers 401 before any GPU is started."""
        url = self._endpoints.any_url()
        reply = await self._door.send("GET", url, deadline=Deadline(self._clock, self._settings.read_timeout_s))
        return reply.failure if isinstance(reply, Fault) else reply.status

    @property
    def clock_skew_s(self) -> float | None:
        """How far our clock is ahead of the deployment's; None before its first reply."""
        return self._door.skew_s

    def _streams(self, request: SpeechRequest, order: Order, relay: Relay) -> bool:
        is_asked_for = request.stream or relay.is_wanted
        return is_asked_for and self._settings.dialect is ModalDialect.OPENAI and order.purpose == "speak"

    async def _perform(
        self, request: SpeechRequest, order: Order, draft: Draft, deadline: Deadline, relay: Relay
    ) -> Speech | Failure:
        streams = self._streams(request, order, relay)
        idle_s = 0.0

        async def send() -> Answer[Work]:
            nonlocal idle_s
            idle_s += self._diary.begin(self._clock.monotonic())
            try:
                return await self._deployment.work(
                    streamed(order) if streams else order,
                    attempts=draft.attempts,
                    deadline=deadline,
                    relay=relay if streams else None,
                )
            finally:
                self._diary.end(self._clock.monotonic())

        worst = self._rate.microusd(self._settings.deadline_s)
        work = await draft.attempts.pay(order.purpose, send, worst_microusd=worst)
        if isinstance(work, Failure):
            return work
        _note(work, draft)
        draft.facts["gpu_cost"] = _share(work, draft.cold, idle_s).facts(self._rate.microusd) | self._rate.facts()
        if work.stream is not None:
            return draft.accepted(work.stream.pcm.wav(), arrived_s=work.reply.ended_s, stream=work.stream.pcm)
        return draft.accepted(work.reply.body, arrived_s=work.reply.body_began_s)


def _secrets(settings: ModalSettings) -> dict[str, str]:
    """The headers of Modal's proxy authorization and of vLLM's own; none for a deployment that is open to all."""
    secrets = {}
    if settings.api_key is not None:
        secrets["Authorization"] = f"Bearer {secret_header(settings.api_key, 'CUTOVER_MODAL__API_KEY')}"
    if settings.key is None and settings.secret is None:
        return secrets
    if settings.key is None or settings.secret is None:
        raise ConfigError("CUTOVER_MODAL__KEY and CUTOVER_MODAL__SECRET belong together; set both or neither")
    return secrets | {
        "Modal-Key": secret_header(settings.key, "CUTOVER_MODAL__KEY"),
        "Modal-Secret": secret_header(settings.secret, "CUTOVER_MODAL__SECRET"),
    }


def _share(work: Work, cold: bool | None, idle_s: float) -> GpuShare:
    """What the work answers for. Without reported seconds the wall time is all of it, a cold start included."""
    if work.basis != REPORTED:
        return GpuShare(busy_s=work.gpu_s, cold_s=0.0, idle_s=idle_s)
    waited_s = max(0.0, work.reply.total_s - work.gpu_s)
    cold_s = None if cold is None else waited_s if cold else 0.0
    return GpuShare(busy_s=work.gpu_s, cold_s=cold_s, idle_s=idle_s)


def _note(work: Work, draft: Draft) -> None:
    headers = work.reply.headers
    draft.replied(work.reply)
    draft.redirect_hops = work.hops
    draft.gpu_s = work.gpu_s
    draft.model = headers.get("x-model", draft.model)
    draft.cold = {"0": False, "1": True}.get(headers.get("x-cold-start", ""))
    facts = {"gpu": headers.get("x-gpu"), "container": headers.get("x-container-id"), "gpu_s_basis": work.basis}
    tokens = {name.removeprefix(_TOKENS): value for name, value in headers.items() if name.startswith(_TOKENS)}
    if work.stream is not None:
        tokens |= work.stream.account
        draft.facts |= work.stream.facts()
    draft.facts |= {name: value for name, value in (facts | {"tokens": tokens or None}).items() if value is not None}


def open_from(settings: Settings, *, account: str | None, references: References, clock: Clock) -> ModalProvider:
    """The deployment that the settings name; it keeps no voices, so no account matters. Raises ConfigError."""
    return ModalProvider(
        settings.modal,
        prices=PriceList.load(settings.prices),
        references=references,
        allow_hosts=settings.allow_hosts,
        clock=clock,
    )
