"""Which rows of the fault matrix (reliability.md, section 3) are tested where, so that none is forgotten."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CLIENTS = ("test_faults_qwen.py", "test_faults_modal.py", "test_faults_tls.py")
_NAMED = re.compile(r"case\(\s*(\d+),|\"F(\d\d) |def test_f(\d\d)_")

# Rows that are no client's business, by whose they are.
ELSEWHERE = {
    31: "pacing and captures",
    32: "captures",
    33: "captures",
    34: "journal and blobs",
    35: "journal and blobs",
    36: "the database",
    37: "journal and ledger",
    38: "the runner",
    39: "the workers of the analysis",
    40: "the gateway",
    41: "the breaker",
    42: "the breaker and the rollout",
    43: "routing",
    44: "settings",
    45: "flags",
    46: "flags",
    47: "the gateway; that a client cancels cleanly is in test_qwen.py and test_modal.py",
    48: "the database and the dashboard",
    49: "the journal",
    50: "the workers of the analysis",
    51: "the dashboard",
}
# What a row asks of others beside what a client does with it.
SHARED = {
    1: "that the quota is lowered: replay's quota",
    3: "that the breaker opens and the run pauses: routing and replay",
    5: "that the breaker opens, legacy answers and a probe heals: routing and gateway",
    8: "that the run stops after one: replay",
    19: "that captures with one provider id are flagged: the store",
    29: "that duration and text are compared: the analysis",
    52: "that a price of zero is refused: the price list",
}


def rows_of_clients() -> set[int]:
    text = "".join((TESTS / name).read_text() for name in CLIENTS)
    return {int(next(filter(None, found.groups()))) for found in _NAMED.finditer(text)} - {0}


def test_every_row_is_tested_with_the_clients_or_belongs_to_somebody_else() -> None:
    clients = rows_of_clients()

    assert clients | set(ELSEWHERE) == set(range(1, 53))
    assert not clients & set(ELSEWHERE)
    assert set(SHARED) <= clients


@pytest.mark.parametrize("row", [*range(1, 31), 52])
def test_every_row_that_concerns_clients_has_a_test(row: int) -> None:
    assert row in rows_of_clients()
