import pytest

from harness.errors import (
    KINDS,
    BudgetExceeded,
    CaptureError,
    Charge,
    ConfigError,
    ErrorKind,
    HarnessError,
    NotAdmitted,
    StoreError,
    UndecodableAudio,
    UsageError,
)


def test_every_kind_of_failure_has_its_facts() -> None:
    assert set(KINDS) == set(ErrorKind)
    assert all(facts.meaning for facts in KINDS.values())


@pytest.mark.parametrize(
    "kind",
    [ErrorKind.AUTH, ErrorKind.BILLING, ErrorKind.QUOTA, ErrorKind.BAD_REQUEST, ErrorKind.CONTENT_BLOCKED],
)
def test_what_another_attempt_cannot_help_is_not_retried_and_not_the_providers_fault(kind: ErrorKind) -> None:
    assert not KINDS[kind].retriable
    assert not KINDS[kind].blames_provider


def test_our_own_quota_is_no_fault_of_the_provider() -> None:
    assert KINDS[ErrorKind.RATE_LIMITED].retriable
    assert not KINDS[ErrorKind.RATE_LIMITED].blames_provider


@pytest.mark.parametrize(
    "kind", [ErrorKind.TIMEOUT_READ, ErrorKind.CONN_RESET, ErrorKind.UNKNOWN_OUTCOME, ErrorKind.CANCELLED]
)
def test_what_may_have_been_billed_is_booked_at_its_worst(kind: ErrorKind) -> None:
    assert KINDS[kind].charge is Charge.WORST


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError, 2),
        (UsageError, 2),
        (CaptureError, 2),
        (BudgetExceeded, 4),
        (NotAdmitted, 4),
        (StoreError, 4),
        (UndecodableAudio, 4),
        (HarnessError, 4),
    ],
)
def test_an_exception_knows_its_exit_status(error: type[HarnessError], status: int) -> None:
    assert error("what happened").exit_status == status
