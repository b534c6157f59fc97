from dataclasses import replace
from pathlib import Path

from harness.errors import ErrorKind
from harness.exchanges import Lane, Observed, Timing
from harness.speech import Operation
from harness.store.rows import capture_row, captures_in, exchange_row, received_in
from harness.store.schema import TABLES
from tests.builders import NOON, a_capture, a_leg, a_request, an_exchange
from tests.replayed import a_replayed_run


def test_a_capture_becomes_exactly_the_columns_of_its_table() -> None:
    assert tuple(capture_row(a_capture())) == TABLES["captures"].names


def test_an_exchange_becomes_the_columns_of_its_table_but_for_the_run() -> None:
    row = exchange_row(a_leg(), an_exchange(), due_at=NOON, admitted_at=NOON, queued_s=0.0, audio_sha256=None)

    assert ("run_id", *row) == TABLES["exchanges"].names


def test_the_text_of_a_clone_is_the_probe_that_is_spoken() -> None:
    row = capture_row(a_capture(request=a_request("", operation=Operation.CLONE, language="zh")))

    assert row["text"].startswith("今天")
    assert row["billed_chars"] > row["text_chars"] > 0


def test_requests_of_one_voice_share_a_cluster() -> None:
    assert capture_row(a_capture("a"))["cluster"] == capture_row(a_capture("b", user_key="hmac:other"))["cluster"]


def test_what_production_observed_is_kept() -> None:
    observed = Observed(provider="modal", status="ok", first_byte_s=0.8, total_s=4.1, audio_s=3.2)

    row = capture_row(a_capture(observed=observed))

    assert (row["observed_provider"], row["observed_total_s"], row["observed_audio_s"]) == ("modal", 4.1, 3.2)


def test_waiting_before_the_send_counts_from_the_due_time_and_not_as_service() -> None:
    row = exchange_row(
        a_leg(), an_exchange(service_s=2.0), due_at=NOON, admitted_at=NOON, queued_s=3.0, audio_sha256=None
    )

    assert (row["queued_s"], row["service_s"], row["from_due_s"]) == (3.0, 2.0, 5.0)


def test_our_own_wait_between_attempts_is_no_time_of_the_provider() -> None:
    row = exchange_row(
        a_leg(),
        an_exchange(service_s=2.0),
        due_at=NOON,
        admitted_at=NOON,
        queued_s=0.0,
        own_wait_s=0.5,
        audio_sha256=None,
    )

    assert (row["service_s"], row["from_due_s"]) == (1.5, 2.0)


def test_a_failure_has_no_audio_and_keeps_its_reason() -> None:
    exchange = an_exchange(failed=ErrorKind.BAD_REQUEST)

    row = exchange_row(
        a_leg(lane=Lane.CANDIDATE), exchange, due_at=NOON, admitted_at=NOON, queued_s=0.0, audio_sha256=None
    )

    assert (row["outcome"], row["provider_code"], row["audio_bytes"]) == ("bad_request", "Code", None)


def test_money_keeps_every_micro_dollar_and_an_unknown_cost_is_not_zero() -> None:
    known = exchange_row(
        a_leg(), an_exchange(cost_microusd=1), due_at=NOON, admitted_at=None, queued_s=0.0, audio_sha256=None
    )
    unknown = exchange_row(
        a_leg(), an_exchange(cost_microusd=None), due_at=NOON, admitted_at=None, queued_s=0.0, audio_sha256=None
    )

    assert (known["cost_usd"], unknown["cost_usd"]) == ("0.000001", None)


def test_what_was_never_sent_has_no_time_of_sending() -> None:
    exchange = replace(an_exchange(failed=ErrorKind.BUDGET), attempts=0, timing=Timing(sent_at=NOON, service_s=0.0))

    assert (
        exchange_row(a_leg(), exchange, due_at=NOON, admitted_at=None, queued_s=0.0, audio_sha256=None)["sent_at"]
        is None
    )


def test_a_journal_gives_back_its_captures_and_the_answers_that_brought_audio(tmp_path: Path) -> None:
    failed = an_exchange(failed=ErrorKind.TIMEOUT_READ)
    run = a_replayed_run(tmp_path, captures=3, answer=lambda number, lane, exchange: failed if number else exchange)

    assert [row["capture_id"] for row in captures_in(run.journal)] == [f"{run.id}-{number}" for number in range(3)]
    assert [(row["capture_id"], row["lane"]) for row in received_in(run.journal)] == [
        (f"{run.id}-0", lane) for lane in ("control", "candidate", "repeat")
    ]
