import contextlib
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.importers.tnetstring import Malformed, TooLarge, read_value
from tests.traffic import tnetstring

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def read(data: bytes, max_bytes: int = 10**6) -> Any:
    return read_value(io.BytesIO(data), max_bytes=max_bytes)


@given(VALUES)
def test_every_value_comes_back_as_it_was_written(value: Any) -> None:
    assert read(tnetstring(value)) == value


def test_values_follow_each_other_until_the_source_ends() -> None:
    source = io.BytesIO(tnetstring(1) + tnetstring("two"))

    assert [read_value(source, max_bytes=99), read_value(source, max_bytes=99)] == [1, "two"]
    with pytest.raises(EOFError):
        read_value(source, max_bytes=99)


def test_keys_may_be_bytes_as_older_files_have_them() -> None:
    assert read(tnetstring({b"version": 18})) == {"version": 18}


def test_a_value_that_is_too_large_is_passed_over_and_the_next_one_read() -> None:
    source = io.BytesIO(tnetstring(b"x" * 500) + tnetstring("next"))

    with pytest.raises(TooLarge) as caught:
        read_value(source, max_bytes=100)

    assert caught.value.size_bytes == 500
    assert read_value(source, max_bytes=100) == "next"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"5:ab", id="cut short"),
        pytest.param(b"x", id="no length"),
        pytest.param(b":,", id="an empty length"),
        pytest.param(b"9" * 30 + b":", id="a length without end"),
        pytest.param(b"1:a?", id="an unknown type"),
        pytest.param(b"1:a~", id="nothing that is something"),
        pytest.param(b"3:yes!", id="neither true nor false"),
        pytest.param(b"1:a#", id="no number"),
        pytest.param(b"100:" + b"9" * 100 + b"#", id="a number of 100 digits"),
        pytest.param(b"1:\xff;", id="text that is not UTF-8"),
        pytest.param(b"3:9:a]", id="an item that is longer than its list"),
        pytest.param(b"1:a]", id="a list without items"),
        pytest.param(b"4:1:a,}", id="a key without value"),
        pytest.param(b"8:1:1#1:a,}", id="a key that is a number"),
    ],
)
def test_what_is_no_typed_netstring_is_said(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


def test_nesting_beyond_reason_is_refused_and_no_crash() -> None:
    data = b"0:~"
    for _ in range(60):
        data = str(len(data)).encode() + b":" + data + b"]"

    with pytest.raises(Malformed):
        read(data)


@given(st.binary(max_size=60))
def test_random_bytes_never_crash_the_reader(data: bytes) -> None:
    with contextlib.suppress(EOFError, Malformed, TooLarge):
        read(data, max_bytes=1_000)
