import logging

import pytest

from harness.errors import ErrorKind
from harness.exchanges import Lane
from harness.telemetry.request_log import log_request, request_fields
from tests.harness.telemetry.answers import a_call, an_answer

SECRETS = ("Good morning", "it failed")


def test_a_line_has_all_that_is_asked_for_at_night() -> None:
    calls = (a_call(Lane.CANDIDATE, failed=ErrorKind.TIMEOUT_READ, cost_microusd=40), a_call(cost_microusd=1_000))

    fields = request_fields(
        an_answer(calls=calls, fallback="timeout_read", flag_version="f1", rollout_version=7, because="in-share")
    )

    assert fields["request_id"] == "r1"
    assert fields["caller"] == "hmac:app"
    assert (fields["provider"], fields["model"]) == ("modal", "a-model")
    assert fields["attempts"] == 2
    assert fields["cost_usd"] == pytest.approx(0.00104)
    assert [(call["provider"], call["outcome"]) for call in fields["calls"]] == [
        ("qwen", "timeout_read"),
        ("modal", "ok"),
    ]
    assert (fields["fallback"], fields["flag_version"], fields["rollout_version"]) == ("timeout_read", "f1", 7)


def test_a_line_says_how_much_of_the_time_was_the_callers_own() -> None:
    fields = request_fields(an_answer(total_s=9.0, listener_waited_s=7.00004))

    assert (fields["total_s"], fields["listener_waited_s"]) == (9.0, 7.0)


def test_a_cost_that_is_not_known_is_not_nothing() -> None:
    assert request_fields(an_answer(calls=(a_call(cost_microusd=None),)))["cost_usd"] is None


def test_neither_text_nor_a_providers_words_are_in_a_line() -> None:
    said = repr(request_fields(an_answer(calls=(a_call(failed=ErrorKind.BAD_REQUEST),))))

    assert not any(secret in said for secret in SECRETS)


def test_our_failures_are_warnings_and_the_callers_are_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_request(an_answer(status=503, outcome="overloaded"))
        log_request(an_answer(status=404, outcome="voice_not_found"))

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert {record.getMessage() for record in caplog.records} == {"request"}
