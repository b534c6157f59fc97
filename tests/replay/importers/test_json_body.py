import pytest

from replay.importers.json_body import load_object, text_at
from replay.importers.records import Unusable


def test_an_object_is_read_from_bytes_and_from_text() -> None:
    assert load_object('{"text": "Grüße"}'.encode()) == load_object('{"text": "Grüße"}') == {"text": "Grüße"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "the body is no sound JSON", id="empty"),
        pytest.param(b'{"text": "cut', "the body is no sound JSON", id="cut"),
        pytest.param(b"[1]", "the body is JSON and no object", id="a list"),
        pytest.param(b'{"a": "\xff"}', "the body is not UTF-8", id="not UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), "the body is not UTF-8", id="UTF-16"),
        pytest.param(b'{"a": ' * 100_000, "the body is JSON nested too deep", id="deep"),
        pytest.param(b'{"a": NaN}', "the body is no sound JSON", id="NaN"),
        pytest.param(b'{"a": ' + b"9" * 5_000 + b"}", "the body is no sound JSON", id="a number of 5,000 digits"),
    ],
)
def test_what_is_no_sound_object_is_unusable_and_never_a_crash(data: bytes, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        load_object(data)

    assert caught.value.reason == reason


def test_the_first_field_that_is_told_counts() -> None:
    assert text_at({"voice": None, "speaker": "Vivian"}, "voice", "speaker") == "Vivian"
    assert text_at({}, "voice") is None


def test_a_text_that_is_none_is_unusable() -> None:
    with pytest.raises(Unusable, match='"text" is not a text'):
        text_at({"text": ["Hello"]}, "text")
