import pytest

from replay.importers.multipart import read_form
from replay.importers.records import Unusable

TYPE = "multipart/form-data; boundary=XX"


def a_form(*parts: tuple[str, bytes], end: bytes = b"--XX--\r\n") -> bytes:
    return (
        b"".join(
            b'--XX\r\nContent-Disposition: form-data; name="%b"; filename="a.wav"\r\n\r\n%b\r\n' % (name.encode(), data)
            for name, data in parts
        )
        + end
    )


def test_fields_come_by_name_and_binary_ones_unharmed() -> None:
    audio = b"RIFF\r\n--X\r\n\x00\xff"

    form = read_form(a_form(("name", b"anna"), ("audio_sample", audio)), TYPE)

    assert form["name"].text == "anna"
    assert form["audio_sample"].data == audio


def test_of_fields_with_one_name_the_first_counts() -> None:
    assert read_form(a_form(("name", b"a"), ("name", b"b")), TYPE)["name"].text == "a"


def test_a_quoted_boundary_is_one_too() -> None:
    assert read_form(a_form(("name", b"a")), 'multipart/form-data; boundary="XX"; charset=utf-8')["name"].text == "a"


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        pytest.param(a_form(("a", b"1")), "multipart/form-data", "the form has no boundary", id="no boundary"),
        pytest.param(a_form(("a", b"1"), end=b""), TYPE, "the form is cut short", id="no end"),
        pytest.param(b"", TYPE, "the form is cut short", id="empty"),
        pytest.param(b"--XX\r\nX: 1\r\n\r\n1\r\n--XX--", TYPE, "a field of the form has no name", id="no name"),
        pytest.param(a_form(*[("a", b"")] * 65), TYPE, "the form has more than 64 fields", id="too many"),
    ],
)
def test_a_form_that_is_not_whole_is_unusable(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        read_form(body, content_type)


def test_a_text_field_that_is_not_utf_8_is_unusable() -> None:
    form = read_form(a_form(("name", b"\xff")), TYPE)

    with pytest.raises(Unusable, match="not UTF-8"):
        _ = form["name"].text
