from harness.store.balance import Balance
from harness.store.ledger import Ledger
from tests.harness.store.test_balance import PLAN, intent, planned, result

RECORDS = [
    PLAN,
    planned("a", "control", "candidate"),
    {**planned("a", "control"), "capture": None, "legs": [{"key": "a/1/control", "lane": "control"}]},
    intent("1", "a/0/control", worst=100),
    {"type": "settle", "call": "1", "microusd": 30},
    intent("2", "a/0/candidate", worst=200),
    {"type": "settle", "call": "2", "microusd": None},
    result("a/0/candidate", "budget"),
    result("a/0/candidate", "timeout_read"),
]


def test_every_row_of_a_journal_is_at_hand() -> None:
    ledger = Ledger.of(RECORDS)

    assert ledger.captures == [{"capture_id": "a"}]
    assert list(ledger.planned) == ["a/0/control", "a/0/candidate", "a/1/control"]
    assert ledger.results == {"a/0/candidate": {"outcome": "timeout_read"}}
    assert ledger.missing == ["a/0/control", "a/1/control"]
    assert {call: row["microusd"] for call, row in ledger.calls.items()} == {"1": 30, "2": 200}
    assert all(row["settled"] for row in ledger.calls.values())


def test_it_adds_up_to_what_the_balance_says() -> None:
    ledger, balance = Ledger.of(RECORDS), Balance.of(RECORDS)

    assert ledger.outcomes() == balance.outcomes() == {"control": {"missing": 2}, "candidate": {"timeout_read": 1}}
    assert len(ledger.missing) == balance.unanswered
    assert sum(row["microusd"] for row in ledger.calls.values()) == balance.spent_microusd()
