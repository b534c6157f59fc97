import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.importers.capture_header import packed, unpacked
from replay.importers.records import Unusable

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))


@given(st.dictionaries(TEXTS, TEXTS | st.integers() | st.none()))
def test_what_is_packed_comes_back_and_fits_into_a_line(fields: dict[str, object]) -> None:
    value = packed(fields)

    assert value.isascii()
    assert value.isprintable()
    assert unpacked(value) == fields


def test_a_request_without_the_header_tells_nothing_more() -> None:
    assert unpacked("") == {}


@pytest.mark.parametrize("value", ["%", "e30", "W10=", "/w=="], ids=["no base64", "cut", "no object", "no UTF-8"])
def test_a_damaged_header_is_told(value: str) -> None:
    with pytest.raises(Unusable, match="X-Cutover-Capture"):
        unpacked(value)
