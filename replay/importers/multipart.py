"""Forms as browsers and clients upload them (RFC 7578): the parts of a `multipart/form-data` body."""

import re
from typing import Final, NamedTuple

from replay.importers.records import Unusable

__all__ = ["Part", "read_form"]

_MAX_PARTS: Final = 64
_BOUNDARY: Final = re.compile(r"boundary=(?:\"([^\"\r\n]{1,70})\"|([^\s;\"]{1,70}))", re.IGNORECASE)
_NAME: Final = re.compile(rb'content-disposition:\s*form-data\s*;[^\r\n]*?\bname="([^"\r\n]{1,100})"', re.IGNORECASE)


class Part(NamedTuple):
    """One field of a form."""

    data: bytes

    @property
    def text(self) -> str:
        """The field as text; raises Unusable when it is none."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            raise Unusable("a field of the form is not UTF-8") from None


def read_form(body: bytes, content_type: str) -> dict[str, Part]:
    """Field name → part; of parts with one name the first.

    Raises:
        Unusable: The body is no complete form.
    """
    match = _BOUNDARY.search(content_type)
    if not match:
        raise Unusable("the form has no boundary")
    boundary = b"--" + (match[1] or match[2]).encode()
    sections = (b"\r\n" + body).split(b"\r\n" + boundary)
    if len(sections) < 3 or not sections[-1].startswith(b"--"):
        raise Unusable("the form is cut short: its closing boundary is missing")
    if len(sections) - 2 > _MAX_PARTS:
        raise Unusable(f"the form has more than {_MAX_PARTS} fields")
    form: dict[str, Part] = {}
    for section in sections[1:-1]:
        head, separator, data = section.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not separator or not name:
            raise Unusable("a field of the form has no name")
        form.setdefault(name[1].decode("latin-1"), Part(data))
    return form
