"""Jobs of the legacy path: what was submitted, joined with what came of it in other requests (providers.md B4).

A job is one speech request whose answer is fetched later: `POST /submit-job`, then `GET /job-status` and
`GET /job-result` until it is there. The request waits here for its answer, so that `observed` tells of both.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from harness.errors import ErrorKind
from harness.providers.codes import modal_failure
from replay.importers.exchanges import HttpExchange
from replay.importers.http_message import RequestLine
from replay.importers.records import LeftOut, Place, Read, Skipped, SpeechCall
from replay.importers.responses import observed, reply_object

__all__ = ["Jobs", "is_about_a_job"]

PROVIDER: Final = "modal"
_MAX_WAITING: Final = 10_000
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
_PART: Final = re.compile(r"/(submit-job|job-status|job-result)/?$")
_MODAL_HOST: Final = re.compile(r"[a-z0-9-]+--(?:[a-z0-9-]+-)?(submit-job|job-status|job-result)(?:-dev)?\.modal\.run")


@lru_cache(maxsize=4096)
def _part(method: str, host: str, path: str) -> str | None:
    """Which part of a job a request is: "submit-job", "job-status" or "job-result"."""
    function = _MODAL_HOST.fullmatch(host) if path in ("", "/") else _PART.search(path)
    if not function or (method == "POST") is not (function[1] == "submit-job"):
        return None
    return function[1]


def is_about_a_job(line: RequestLine) -> bool:
    """Whether a request asks after a job that was submitted before."""
    return line.method == "GET" and _part(line.method, line.host, line.path) is not None


class _Submitted(NamedTuple):
    """A job whose answer is not known yet."""

    place: Place
    call: SpeechCall
    size_bytes: int


class _Answer(NamedTuple):
    """What came of a job, in the terms of `observed`; its times are moments yet."""

    status: str
    first_byte_at: datetime | None = None
    ended_at: datetime | None = None
    audio_s: object = None


class Jobs:
    """Lets everything else through, and holds jobs back until their answer comes or there are too many."""

    def __init__(self, *, max_waiting: int = _MAX_WAITING, max_waiting_bytes: int = _MAX_WAITING_BYTES) -> None:
        self._max_waiting = max_waiting
        self._max_bytes = max_waiting_bytes
        self._waiting: OrderedDict[str, _Submitted] = OrderedDict()  # by job id, oldest first
        self._answers: OrderedDict[str, _Answer] = OrderedDict()  # that stand before their request in a file
        self._bytes = 0

    def take(self, place: Place, exchange: HttpExchange, outcome: SpeechCall | LeftOut) -> Iterator[Read]:
        """What is known now that this exchange was read and became `outcome`."""
        part = _part(exchange.method, exchange.host, exchange.path)
        if part == "submit-job":
            yield from self._submitted(place, exchange, outcome)
        elif part is not None:
            yield from self._answered(exchange)
            yield Read(place, Skipped("a question about a job"))
        else:
            yield Read(place, outcome)

    def rest(self) -> Iterator[Read]:
        """The jobs of which nothing more was told."""
        while self._waiting:
            yield self._oldest()

    def _submitted(self, place: Place, exchange: HttpExchange, outcome: SpeechCall | LeftOut) -> Iterator[Read]:
        job_id = reply_object(exchange.reply).get("job_id")
        if isinstance(outcome, LeftOut) or not isinstance(job_id, str) or job_id in self._waiting:
            yield Read(place, outcome)
            return
        answer = self._answers.pop(job_id, None)
        if answer is not None:
            yield Read(place, _joined(outcome, answer))
            return
        self._waiting[job_id] = _Submitted(place, outcome, len(exchange.body))
        self._bytes += len(exchange.body)
        while len(self._waiting) > self._max_waiting or self._bytes > self._max_bytes:
            yield self._oldest()

    def _oldest(self) -> Read:
        submitted = self._take(next(iter(self._waiting)))
        return Read(submitted.place, submitted.call)

    def _take(self, job_id: str) -> _Submitted:
        submitted = self._waiting.pop(job_id)
        self._bytes -= submitted.size_bytes
        return submitted

    def _answered(self, exchange: HttpExchange) -> Iterator[Read]:
        job_id = exchange.query_value("job_id")
        answer = _answer(exchange)
        if answer is None or not job_id:
            return
        if job_id in self._waiting:
            submitted = self._take(job_id)
            yield Read(submitted.place, _joined(submitted.call, answer))
            return
        self._answers.setdefault(job_id, answer)
        if len(self._answers) > self._max_waiting:
            self._answers.popitem(last=False)


def _answer(exchange: HttpExchange) -> _Answer | None:
    """What a question found out; None when the work was still under way, or the question itself failed."""
    at, reply = _moment(exchange.captured_at), exchange.reply
    if reply is None:
        return None
    ended_at = _later(at, exchange.total_s if exchange.total_s is not None else exchange.first_byte_s)
    if _part(exchange.method, exchange.host, exchange.path) == "job-status":
        status = _failure_told(reply_object(reply))
        return _Answer(status, ended_at=ended_at) if status else None
    if reply.status == 404:  # unknown there, or its result has expired: nobody knows how it went
        return _Answer(ErrorKind.UNKNOWN_OUTCOME.value, ended_at=ended_at)
    # A platform that fails while it is asked says nothing about the work; the application tells with a "detail".
    if reply.status == 0 or (reply.status >= 500 and b'"detail"' not in (reply.body or b"")):
        return None
    found = observed(exchange, PROVIDER)
    if found is None:
        return None
    return _Answer(str(found["status"]), _later(at, exchange.first_byte_s), ended_at, found["audio_s"])


def _failure_told(status: Mapping[str, object]) -> str | None:
    """A job's failure comes with HTTP 200 and the word "failed"."""
    match status.get("status"):
        case "failed":
            error = status.get("error")
            told = error if isinstance(error, str) else None
            return modal_failure(500, told or "", told).kind.value
        case "cancelled":
            return ErrorKind.CANCELLED.value
        case _:
            return None


def _joined(call: SpeechCall, answer: _Answer) -> SpeechCall:
    asked_at = _moment(call.captured_at)
    return replace(
        call,
        observed={
            "provider": PROVIDER,
            "status": answer.status,
            "first_byte_s": _seconds(asked_at, answer.first_byte_at),
            "total_s": _seconds(asked_at, answer.ended_at),
            "audio_s": answer.audio_s,
        },
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _later(moment: datetime | None, seconds: float | None) -> datetime | None:
    try:
        return moment + timedelta(seconds=seconds) if moment and seconds is not None else None
    except OverflowError:
        return None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end and end >= start else None
