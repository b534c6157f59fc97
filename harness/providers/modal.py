"""The legacy path as a `Provider`: open Qwen3-TTS, self-hosted on Modal (providers.md B1, B4).

It keeps no voices: the reference goes along with every call. It bills seconds of a GPU, not characters.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from random import Random
from types import TracebackType
from typing import Final, NamedTuple, Self

from pydantic import SecretStr
from yarl import URL

from harness.clock import Clock
from harness.config import ModalSettings
from harness.errors import KINDS, Charge, ConfigError, ErrorKind
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.addresses import Addresses, base_url
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Admission, Deadline, References
from harness.providers.codes import modal_failure
from harness.providers.delivery import accept
from harness.providers.door import Door, Fault, Limits, Reply, secret_header
from harness.providers.draft import Draft
from harness.providers.modal_terms import Order, objection_to, order_for
from harness.providers.pricing import PriceList
from harness.providers.retry import RetryPolicy, retry_after_s
from harness.speech import SpeechRequest, Voice

__all__ = ["ModalProvider"]


_LONGEST_CALL_S: Final = 86_400.0  # the most a function may run on Modal (providers.md B1)


class _Work(NamedTuple):
    """A reply, and what it took."""

    reply: Reply  # carries the audio
    hops: int
    gpu_s: float
    basis: str  # how those seconds were found


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
        order = await order_for(request, self._references)
        result = order if isinstance(order, Failure) else await self._perform(order, draft, deadline)
        return draft.finish(result)

    def worst_microusd(self, request: SpeechRequest) -> int | None:
        """See `Provider`: a GPU busy for as long as we would wait at all.

        A true bound and a high one, some hundred times what a call takes; what is not used is given back at once.
        """
        return 0 if objection_to(request) else self._gpu_microusd(self._settings.deadline_s)

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

    async def _perform(self, order: Order, draft: Draft, deadline: Deadline) -> Speech | Failure:
        worst = self._gpu_microusd(self._settings.deadline_s)
        work = await draft.attempts.pay(
            order.purpose, lambda: self._work(order, draft.attempts, deadline), worst_microusd=worst
        )
        if isinstance(work, Failure):
            return work
        _note(work, draft)
        delivery = accept(work.reply.body)
        if isinstance(delivery, Failure):
            return delivery
        draft.delivered(delivery, arrived_s=work.reply.body_began_s)
        return delivery.speech

    async def _work(self, order: Order, attempts: Attempts, deadline: Deadline) -> Answer[_Work]:
        """One paid call, followed through its redirects, with what it cost."""
        url = self._base / order.path
        first = await self._door.send("POST", url, body=json.dumps(order.body).encode(), keyed=True, deadline=deadline)
        if isinstance(first, Fault):
            return Answer(result=first.failure, sent=first.sent)
        reply, hops = await self._follow(first, url, attempts, deadline)
        if isinstance(reply, Failure):
            return Answer(result=reply, began=True)  # the work goes on there without us
        gpu_s, basis = _gpu_seconds(reply)
        microusd = self._gpu_microusd(gpu_s)
        request_id = reply.headers.get("x-request-id")
        if reply.status == 200:
            work = _Work(reply, hops, gpu_s, basis)
            return Answer(result=work, microusd=microusd, basis=basis, request_id=request_id)
        failure = _refusal(reply, order.private)
        return Answer(
            result=failure,
            microusd=None if KINDS[failure.kind].charge is Charge.NOTHING else microusd,
            basis=basis,
            retry_after_s=retry_after_s(reply.headers, self._clock.now()),
            request_id=request_id,
        )

    async def _follow(
        self, first: Reply, url: URL, attempts: Attempts, deadline: Deadline
    ) -> tuple[Reply | Failure, int]:
        """The reply at the end of the redirects, timed from the first request, and how many there were.

        After 150 s Modal answers 303 with an address that waits for the same work; asking there again and again
        neither runs nor bills it again.
        """
        reply, hops = first, 0
        while reply.status == 303:
            hops += 1
            if hops > self._settings.max_redirects:
                return _bad_redirect(f"more than {self._settings.max_redirects} redirects"), hops
            target = self._target(reply, url)
            if target is None:
                return _bad_redirect("a redirect to somewhere else; not followed"), hops
            url = target
            waited = await attempts.fetch(partial(self._wait_at, url, deadline))
            if isinstance(waited, Failure):
                return waited, hops
            reply = waited
        return (_since(first, reply) if hops else first), hops

    def _target(self, reply: Reply, url: URL) -> URL | None:
        """Where a redirect leads, as long as that is the same deployment: the key goes along."""
        try:
            target = url.join(URL(reply.headers.get("location", ""), encoded=True))
            return target if target.origin() == self._base.origin() else None
        except ValueError:
            return None

    async def _wait_at(self, url: URL, deadline: Deadline) -> Answer[Reply]:
        reply = await self._door.send("GET", url, keyed=True, deadline=deadline)
        return Answer(result=reply.failure if isinstance(reply, Fault) else reply)


def _secrets(key: SecretStr | None, secret: SecretStr | None) -> dict[str, str]:
    """The headers of Modal's proxy authorization; none for a deployment that is open to all."""
    if key is None and secret is None:
        return {}
    if key is None or secret is None:
        raise ConfigError("CUTOVER_MODAL__KEY and CUTOVER_MODAL__SECRET belong together; set both or neither")
    return {
        "Modal-Key": secret_header(key, "CUTOVER_MODAL__KEY"),
        "Modal-Secret": secret_header(secret, "CUTOVER_MODAL__SECRET"),
    }


def _gpu_seconds(reply: Reply) -> tuple[float, str]:
    """Seconds of the GPU that a reply stands for: as it says, else all the time it took, and on which basis."""
    try:
        reported_s = float(reply.headers.get("x-inference-seconds", "-1"))
    except ValueError:
        reported_s = -1.0
    if 0 <= reported_s <= _LONGEST_CALL_S:
        return reported_s, "reported GPU seconds"
    return reply.total_s, "wall time as GPU seconds"


def _note(work: _Work, draft: Draft) -> None:
    headers = work.reply.headers
    draft.replied(work.reply)
    draft.redirect_hops = work.hops
    draft.gpu_s = work.gpu_s
    draft.model = headers.get("x-model", draft.model)
    draft.cold = {"0": False, "1": True}.get(headers.get("x-cold-start", ""))
    facts = {"gpu": headers.get("x-gpu"), "container": headers.get("x-container-id"), "gpu_s_basis": work.basis}
    draft.facts |= {name: value for name, value in facts.items() if value is not None}


def _since(first: Reply, last: Reply) -> Reply:
    """`last`, timed from when `first` was asked for."""
    return replace(
        last,
        started_s=first.started_s,
        connect_s=first.connect_s,
        first_byte_s=None if last.first_byte_s is None else last.body_began_s - first.started_s,
        total_s=last.ended_s - first.started_s,
    )


def _refusal(reply: Reply, private: tuple[str | None, ...]) -> Failure:
    text = reply.body[:300].decode(errors="replace")
    return modal_failure(reply.status, text, _fastapi_detail(reply.body), private=private)


def _fastapi_detail(body: bytes) -> str | None:
    """`detail` of an error that the app itself answered; None when the platform did."""
    try:
        detail = json.loads(body)["detail"]
        if isinstance(detail, str):
            return detail
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in detail)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _bad_redirect(detail: str) -> Failure:
    return Failure(kind=ErrorKind.BAD_RESPONSE, code="local.redirect", detail=detail)
