import pytest

from harness.store.key_table import KeyTable


def test_keys_are_numbered_in_the_order_in_which_they_come_and_found_again() -> None:
    table = KeyTable()
    keys = [f"capture-{number}/0/control" for number in range(10_000)]

    assert [table.number(key) for key in keys] == list(range(10_000))
    assert [table.number(key) for key in reversed(keys)] == list(reversed(range(10_000)))
    assert [table.find(key) for key in keys] == list(range(10_000))
    assert len(table) == 10_000


@pytest.mark.parametrize("key", ["", "x", "capture-10000/0/control", "\ud800", "ä" * 1_000])
def test_what_was_never_put_in_is_not_there(key: str) -> None:
    table = KeyTable()
    for number in range(1_000):
        table.number(f"capture-{number}/0/control")

    assert table.find(key) is None
    assert key not in table
    assert table.number(key) == 1_000
    assert key in table


def test_two_tables_of_the_same_keys_are_equal() -> None:
    one, other = KeyTable(), KeyTable()
    for number in range(500):
        one.number(str(number))
        other.number(str(number))

    assert one == other
    assert other.number("another") == 500
    assert one != other
