import json
from pathlib import Path
from typing import Any

import pytest

from replay.importers.endpoints import Endpoints
from replay.importers.exchanges import HttpExchange, HttpReply
from replay.importers.formats import Format, read_files
from replay.importers.http_message import RequestLine
from replay.importers.jobs import Jobs, is_about_a_job
from replay.importers.records import Place, Read, Skipped, SpeechCall
from tests.traffic import (
    NOON_NS,
    a_flow,
    a_reply,
    a_wav,
    an_exchange,
    b64,
    gor,
    har,
    har_entry,
    http_reply,
    http_request,
    tnetstring,
)

BODY = {"text": "Good morning.", "language": "English", "ref_audio_base64": b64(a_wav()), "ref_text": "Hi."}
SUBMITTED = {"job_id": "fc-1", "status": "submitted", "text_length": 13}
ASKED = Skipped("a question about a job").reason


def a_submission(job_id: str = "fc-1", **changes: Any) -> HttpExchange:
    return an_exchange(BODY, path="/submit-job", reply=a_reply(SUBMITTED | {"job_id": job_id}), **changes)


def a_question(
    reply: HttpReply | None, *, path: str = "/job-result", job_id: str = "fc-1", after_s: int = 9
) -> HttpExchange:
    return an_exchange(
        b"", method="GET", path=path, query=f"job_id={job_id}", reply=reply, captured_at=f"2025-11-23T12:00:0{after_s}Z"
    )


def through(*exchanges: HttpExchange, **options: Any) -> list[Read]:
    endpoints, jobs, found = Endpoints(), Jobs(**options), []
    for number, exchange in enumerate(exchanges, start=1):
        found += jobs.take(Place("a.har", number), exchange, endpoints.call(exchange))
    return [*found, *jobs.rest()]


def observed_in(found: list[Read]) -> dict[str, object]:
    (call,) = (read.outcome for read in found if isinstance(read.outcome, SpeechCall))
    return dict(call.observed or {})


def test_a_job_is_one_request_with_the_answer_that_came_later() -> None:
    found = through(a_submission(), a_question(a_reply(b"", status=202), after_s=3), a_question(a_reply(a_wav(2.0))))

    assert observed_in(found) == {
        "provider": "modal",
        "status": "ok",
        "first_byte_s": 9.8,
        "total_s": 10.5,
        "audio_s": 2.0,
    }
    assert sorted(read.place.record for read in found) == [1, 2, 3]
    assert [read.outcome.reason for read in found if isinstance(read.outcome, Skipped)] == [ASKED, ASKED]


@pytest.mark.parametrize(
    ("question", "status"),
    [
        pytest.param(
            a_question(a_reply({"detail": "Failed to get result: CUDA out of memory"}, status=500)),
            "internal",
            id="the work failed",
        ),
        pytest.param(a_question(a_reply({"detail": "gone"}, status=404)), "unknown_outcome", id="not known any more"),
        pytest.param(
            a_question(a_reply({"status": "cancelled"}), path="/job-status"),
            "cancelled",
            id="stopped",
        ),
        pytest.param(
            a_question(a_reply({"status": "failed", "error": "CUDA out of memory"}), path="/job-status"),
            "internal",
            id="failed, told with 200",
        ),
    ],
)
def test_a_job_that_failed_is_a_request_that_failed(question: HttpExchange, status: str) -> None:
    told = observed_in(through(a_submission(), question))

    assert told["status"] != "ok"
    assert told["total_s"] == 10.5
    if status != "internal":
        assert told["status"] == status


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(a_question(a_reply(b"", status=202)), id="not ready"),
        pytest.param(a_question(a_reply({"status": "running"}), path="/job-status"), id="running"),
        pytest.param(a_question(a_reply({"status": "completed"}), path="/job-status"), id="its result comes later"),
        pytest.param(a_question(a_reply(b"gateway", status=502)), id="the platform failed, not the work"),
        pytest.param(a_question(None), id="no reply recorded"),
        pytest.param(a_question(a_reply(a_wav()), job_id="fc-2"), id="another job's"),
        pytest.param(a_question(a_reply(a_wav()), job_id=""), id="nobody's"),
    ],
)
def test_what_tells_nothing_of_the_outcome_leaves_it_open(question: HttpExchange) -> None:
    assert observed_in(through(a_submission(), question)) == {}


def test_the_order_in_the_file_does_not_matter() -> None:
    result = a_question(a_reply(a_wav(2.0)))

    assert observed_in(through(result, a_submission())) == observed_in(through(a_submission(), result))


def test_times_that_cannot_be_are_left_out() -> None:
    told = observed_in(through(a_submission(captured_at="2025-11-23T13:00:00Z"), a_question(a_reply(a_wav()))))

    assert (told["status"], told["first_byte_s"], told["total_s"]) == ("ok", None, None)
    told = observed_in(through(a_submission(captured_at="noon"), a_question(a_reply(a_wav()))))
    assert told["total_s"] is None


@pytest.mark.parametrize("bound", [{"max_waiting": 2}, {"max_waiting_bytes": 2 * len(json.dumps(BODY))}])
def test_only_so_many_wait_and_none_is_lost(bound: dict[str, int]) -> None:
    many = [a_submission(f"fc-{number}") for number in range(50)]

    found = through(*many, **bound)

    assert [read.place.record for read in found] == list(range(1, 51))
    assert all(isinstance(read.outcome, SpeechCall) for read in found)


def test_requests_that_are_no_jobs_pass_at_once() -> None:
    jobs, exchange = Jobs(), an_exchange(reply=a_reply(a_wav()))

    (read,) = jobs.take(Place("a", 1), exchange, Endpoints().call(exchange))

    assert isinstance(read.outcome, SpeechCall)
    assert list(jobs.rest()) == []


def test_a_submission_that_was_refused_is_no_job() -> None:
    refused = an_exchange(BODY, path="/submit-job", reply=a_reply({"detail": "busy"}, status=503))

    assert observed_in(through(refused))["status"] != "ok"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (RequestLine("GET", "x", "/job-result", "job_id=1"), True),
        (RequestLine("GET", "x", "/prefix/job-status/"), True),
        (RequestLine("GET", "acme--tts-job-result.modal.run", "/"), True),
        (RequestLine("GET", "acme--job-status-dev.modal.run", ""), True),
        (RequestLine("POST", "x", "/job-result"), False),
        (RequestLine("GET", "x", "/submit-job"), False),
        (RequestLine("GET", "x", "/my-job-results"), False),
        (RequestLine("GET", "acme--tts-other.modal.run", "/"), False),
    ],
)
def test_questions_about_jobs_are_known_by_path_and_host(line: RequestLine, expected: bool) -> None:
    assert is_about_a_job(line) is expected


def _gor() -> bytes:
    def at(seconds: float) -> int:
        return NOON_NS + round(seconds * 1e9)

    question = http_request(b"", path="/job-result?job_id=fc-1", method="GET")
    return b"".join(
        [
            gor(http_request(BODY, path="/submit-job"), identity="a" * 24, at_ns=at(0)),
            gor(http_reply(json.dumps(SUBMITTED).encode(), content_type="application/json"), kind=2, identity="a" * 24,
                at_ns=at(0.1)),
            gor(question, identity="b" * 24, at_ns=at(4)),
            gor(http_reply(b"", status=202), kind=2, identity="b" * 24, at_ns=at(4.1)),
            gor(question, identity="c" * 24, at_ns=at(8)),
            gor(http_reply(a_wav(2.0)), kind=2, identity="c" * 24, at_ns=at(8.5), latency_ns=10**8),
        ]
    )  # fmt: skip


def _har() -> bytes:
    url = "https://acme--tts-{}.modal.run"
    question: dict[str, Any] = har_entry(
        url=url.format("job-result") + "/?job_id=fc-1", method="GET", reply=a_wav(2.0),
        startedDateTime="2025-11-23T12:00:07.350Z",
    )  # fmt: skip
    del question["request"]["postData"]
    submission = har_entry(BODY, url=url.format("submit-job"), reply=json.dumps(SUBMITTED).encode())
    return har(question, submission)


def _flows() -> bytes:
    submission = a_flow(json.dumps(BODY).encode(), reply=json.dumps(SUBMITTED).encode())
    submission["request"]["path"] = b"/submit-job"
    question = a_flow(b"", reply=a_wav(2.0))
    question["request"] |= {"path": b"/job-result?job_id=fc-1", "method": b"GET"}
    for name in ("request", "response"):
        for end in ("timestamp_start", "timestamp_end"):
            question[name][end] += 7.0
    return tnetstring(submission) + tnetstring(question)


@pytest.mark.parametrize(
    ("data", "records"),
    [pytest.param(_gor(), 6, id="gor"), pytest.param(_har(), 2, id="HAR"), pytest.param(_flows(), 2, id="mitmproxy")],
)
def test_every_recorder_tells_of_jobs(tmp_path: Path, data: bytes, records: int) -> None:
    path = tmp_path / "traffic"
    path.write_bytes(data)

    found = list(read_files([path], Format.AUTO, None))

    told = observed_in(found)
    assert len(found) == len({read.place for read in found}) == records
    assert (told["status"], told["audio_s"]) == ("ok", 2.0)
    assert told["total_s"] == pytest.approx(8.6, abs=0.2)
