"""What a capture tells beside an HTTP body: our own header, so that an export can be both sent and imported again.

Our gateway takes no key that it has no use for, so whose request it was or at which rate it was wanted stands here.
A server that does not know the header passes over it.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from replay.importers.json_body import load_object
from replay.importers.records import Unusable

__all__ = ["CAPTURE_HEADER", "MAX_VALUE_CHARS", "packed", "unpacked"]

CAPTURE_HEADER: Final = "X-Cutover-Capture"
MAX_VALUE_CHARS: Final = 8_000  # aiohttp and nginx refuse a field beyond 8 KiB, name included


def packed(fields: Mapping[str, object]) -> str:
    """The header's value: JSON in base64, so that no text can end a line or leave ASCII."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def unpacked(value: str) -> dict[str, Any]:
    """The fields; none where the header is not there.

    Raises:
        Unusable: It is damaged.
    """
    if not value:
        return {}
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Unusable(f"the base64 of {CAPTURE_HEADER} is damaged") from None
    return load_object(data, what=CAPTURE_HEADER)
