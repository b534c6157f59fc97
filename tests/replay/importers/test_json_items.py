import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.importers.json_items import Item, items_at

PATH = ("log", "entries")


class Dripping(io.BytesIO):
    """Gives a few bytes at a time, so that every border falls between two pieces once."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self._step = step

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._step)


def items(document: Any, *, step: int = 10**6, max_bytes: int = 10**6) -> list[Item]:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(items_at(Dripping(data, step), PATH, max_bytes=max_bytes))


def values(document: Any, **options: int) -> list[Any]:
    return [json.loads(item.data) for item in items(document, **options)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", "}{][", "entries"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(max_size=8), JSON, max_size=3), max_size=4), JSON, st.integers(1, 9))
def test_the_objects_of_the_array_come_one_by_one_wherever_the_pieces_break(
    entries: list[Any], other: Any, step: int
) -> None:
    document = {"a": other, "log": {"pages": other, "entries": entries, "comment": other}, "z": other}

    assert values(document, step=step) == entries


@pytest.mark.parametrize(
    "document",
    [
        {"entries": [{}]},
        {"log": [{"entries": [{}]}]},
        {"log": {"x": {"entries": [{}]}}},
        {"x": {"log": {"entries": [{}]}}},
        {"log": {"entries": {"entries": [{}]}}},
        {"log": "entries", "x": [{}]},
        [{"log": {"entries": [{}]}}],
        b"",
        b"not JSON at all",
    ],
    ids=str,
)
def test_an_array_at_another_place_is_not_meant(document: Any) -> None:
    assert items(document) == []


def test_blanks_between_a_key_and_its_value_do_not_matter() -> None:
    document = b'\xef\xbb\xbf { "log" \n:\t{ "entries" : [ {"a" : 1} , {"b":2} ] } }'

    assert values(document, step=3) == [{"a": 1}, {"b": 2}]


def test_the_document_may_end_inside_an_item() -> None:
    found = items(b'{"log":{"entries":[{"a":1},{"b":"cut')

    assert [(item.data, item.is_closed) for item in found] == [(b'{"a":1}', True), (b'{"b":"cut', False)]


def test_an_item_that_is_too_large_is_told_by_its_size_and_the_next_one_read() -> None:
    large = {"a": "x" * 500}

    found = items({"log": {"entries": [large, {"b": 1}]}}, step=7, max_bytes=100)

    assert [(item.data, item.size_bytes) for item in found] == [(b"", len(json.dumps(large))), (b'{"b": 1}', 8)]
