"""One piece of work at the legacy path: asked for, waited for through redirects or as a job, and what it took.

Knows the wire of the deployment (providers.md B1, B4); which call a request needs is decided in modal_terms.py.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from yarl import URL

from harness.clock import Clock
from harness.config import ModalSettings
from harness.errors import KINDS, Charge, ErrorKind
from harness.exchanges import Failure
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Deadline
from harness.providers.codes import modal_failure
from harness.providers.door import Door
from harness.providers.modal_endpoints import ModalEndpoints
from harness.providers.modal_stream import Ears, OmniStream
from harness.providers.modal_terms import Order
from harness.providers.relay import Relay
from harness.providers.reply import Fault, Reply
from harness.providers.retry import advice_in

__all__ = ["REPORTED", "Deployment", "Work"]

_LONGEST_CALL_S: Final = 86_400.0  # the most a function may run on Modal (providers.md B1)
REPORTED: Final = "reported GPU seconds"  # the basis of seconds that the deployment itself told
_CANCEL_S: Final = 5.0  # a job nobody waits for is not worth more


class Work(NamedTuple):
    """A reply, and what it took."""

    reply: Reply  # carries the audio
    hops: int
    gpu_s: float
    basis: str  # how those seconds were found
    stream: OmniStream | None = None  # the audio, where it came while it was made


class _Outcome(NamedTuple):
    """The last reply of some work, or why there is none, and how many redirects led to it."""

    reply: Reply | Failure
    hops: int


class Deployment:
    """The deployment behind one address."""

    def __init__(
        self,
        door: Door,
        endpoints: ModalEndpoints,
        settings: ModalSettings,
        *,
        price: Callable[[float], int | None],
        clock: Clock,
    ) -> None:
        self._door = door
        self._endpoints = endpoints
        self._settings = settings
        self._price = price  # GPU seconds → micro-dollars
        self._clock = clock

    async def work(
        self, order: Order, *, attempts: Attempts, deadline: Deadline, relay: Relay | None = None
    ) -> Answer[Work]:
        """One paid call, waited for to its end, with what it cost.

        Args:
            order: What to do.
            attempts: Of the request.
            deadline: For all of it.
            relay: Where audio that is streamed goes; None where the order asks for no stream.
        """
        longest = self._settings.submit_over_chars
        as_job = order.may_be_job and longest is not None and len(order.text) > longest
        url = self._endpoints.url("submit-job" if as_job else order.path)
        if isinstance(url, Failure):
            return Answer(result=url, sent=False)
        ears = Ears(self._clock, relay, private=order.private)
        first = await self._door.send(
            "POST",
            url,
            body=json.dumps(order.body).encode(),
            keyed=True,
            deadline=deadline,
            listener=ears.listener(),
        )
        if isinstance(first, Fault):
            return Answer(result=ears.failure_after(first.failure), sent=first.sent, heard=ears.heard)
        if as_job and first.status == 200:
            outcome = await self._await_job(first, attempts, deadline)
        else:
            outcome = await self._follow(first, url, attempts, deadline, ears)
        if isinstance(outcome.reply, Failure):
            return Answer(result=outcome.reply, began=True, heard=ears.heard)  # the work goes on there without us
        began = as_job and outcome.reply is not first
        return self._answer(outcome.reply, outcome.hops, order, began=began, stream=await ears.close())

    def _answer(self, reply: Reply, hops: int, order: Order, *, began: bool, stream: OmniStream | None) -> Answer[Work]:
        gpu_s, basis = _gpu_seconds(reply)
        microusd = self._price(gpu_s)
        request_id = reply.headers.get("x-request-id")
        if stream and stream.problem:
            return Answer(result=stream.problem, began=True, heard=stream.heard, request_id=request_id)
        if reply.status == 200:
            work = Work(reply, hops, gpu_s, basis, stream)
            return Answer(result=work, microusd=microusd, basis=basis, request_id=request_id)
        failure = _refusal(reply, order.private)
        return Answer(
            result=failure,
            microusd=None if KINDS[failure.kind].charge is Charge.NOTHING else microusd,
            basis=basis,
            began=began,
            advice=advice_in(reply.headers, self._clock.now()),
            request_id=request_id,
        )

    async def _await_job(self, submitted: Reply, attempts: Attempts, deadline: Deadline) -> _Outcome:
        """The result of a job, timed from when it was submitted; a job that outlives the deadline is cancelled."""
        job_id = _json(submitted.body).get("job_id")
        if not isinstance(job_id, str) or not 0 < len(job_id) <= 200:
            return _Outcome(_bad_reply("job", "the reply names no job"), 0)
        while deadline.left_s() > self._settings.poll_s:
            await self._clock.sleep(self._settings.poll_s)
            reply = await attempts.fetch(partial(self._look_after, job_id, deadline))
            if isinstance(reply, Failure):
                return _Outcome(reply, 0)
            if reply.status == 404:
                lost = Failure(kind=ErrorKind.UNKNOWN_OUTCOME, code=None, detail="the job is not known there any more")
                return _Outcome(lost, 0)
            # A platform that fails while we ask says nothing about the work; it goes on there.
            if reply.status != 202 and not (reply.status >= 500 and _told(reply.body) is None):
                return _Outcome(_since(submitted, reply), 0)
        await self._cancel(job_id)
        return _Outcome(Failure(kind=ErrorKind.TIMEOUT_TOTAL, code=None, detail="the job outlived the deadline"), 0)

    async def _look_after(self, job_id: str, deadline: Deadline) -> Answer[Reply]:
        """The result of a job, or 202 as long as it runs."""
        state = await self._ask_about("job-status", job_id, deadline)
        if isinstance(state.result, Failure) or state.result.status != 200:
            return state
        if _json(state.result.body).get("status") in ("submitted", "running"):
            return Answer(result=replace(state.result, status=202))
        # Done, failed or cancelled: the result tells which, and why.
        return await self._ask_about("job-result", job_id, deadline)

    async def _ask_about(self, path: str, job_id: str, deadline: Deadline) -> Answer[Reply]:
        url = self._endpoints.url(path)
        if isinstance(url, Failure):
            return Answer(result=url)
        return await self._get(url.with_query({"job_id": job_id}), deadline)

    async def _cancel(self, job_id: str) -> None:
        """Ask for a job to be dropped; whether it was makes no difference to what it may have cost."""
        url = self._endpoints.url("job-cancel")
        if isinstance(url, Failure):
            return  # a deployment need not have such a call (providers.md B4)
        body = json.dumps({"job_id": job_id}).encode()
        await self._door.send("POST", url, body=body, keyed=True, deadline=Deadline(self._clock, _CANCEL_S))

    async def _follow(self, first: Reply, url: URL, attempts: Attempts, deadline: Deadline, ears: Ears) -> _Outcome:
        """The reply at the end of the redirects, timed from the first request, and how many there were.

        After 150 s Modal answers 303 with an address that waits for the same work; asking there again and again
        neither runs nor bills it again.
        """
        reply, hops = first, 0
        while reply.status == 303:
            hops += 1
            if hops > self._settings.max_redirects:
                return _Outcome(_bad_reply("redirect", f"more than {self._settings.max_redirects} redirects"), hops)
            target = self._target(reply, url)
            if target is None:
                return _Outcome(_bad_reply("redirect", "a redirect to somewhere else; not followed"), hops)
            url = target
            waited = await attempts.fetch(partial(self._get, url, deadline, ears))
            if isinstance(waited, Failure):
                return _Outcome(waited, hops)
            reply = waited
        return _Outcome(_since(first, reply) if hops else first, hops)

    def _target(self, reply: Reply, url: URL) -> URL | None:
        """Where a redirect leads, as long as that is the same address: the key goes along."""
        try:
            target = url.join(URL(reply.headers.get("location", ""), encoded=True))
            return target if target.origin() == url.origin() else None
        except ValueError:
            return None

    async def _get(self, url: URL, deadline: Deadline, ears: Ears | None = None) -> Answer[Reply]:
        listener = ears.listener() if ears else None
        reply = await self._door.send("GET", url, keyed=True, deadline=deadline, listener=listener)
        if not isinstance(reply, Fault):
            return Answer(result=reply)
        failure = ears.failure_after(reply.failure) if ears else reply.failure
        return Answer(result=failure, heard=ears is not None and ears.heard)


def _gpu_seconds(reply: Reply) -> tuple[float, str]:
    """Seconds of the GPU that a reply stands for: as it says, else all the time it took, and on which basis."""
    try:
        reported_s = float(reply.headers.get("x-inference-seconds", "-1"))
    except ValueError:
        reported_s = -1.0
    if 0 <= reported_s <= _LONGEST_CALL_S:
        return reported_s, REPORTED
    return reply.total_s, "wall time as GPU seconds"


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
    return modal_failure(reply.status, text, _told(reply.body), private=private)


def _told(body: bytes) -> str | None:
    """What the app itself says went wrong, in FastAPI's form or OpenAI's; None when the platform answered."""
    content = _json(body)
    error = content.get("error")
    detail = error.get("message") if isinstance(error, dict) else content.get("detail")
    if isinstance(detail, str):
        return detail
    if not isinstance(detail, list) or not detail:
        return None
    try:
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in detail)
    except (KeyError, TypeError):
        return None


def _json(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; empty when there is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _bad_reply(what: str, detail: str) -> Failure:
    return Failure(kind=ErrorKind.BAD_RESPONSE, code=f"local.{what}", detail=detail)
