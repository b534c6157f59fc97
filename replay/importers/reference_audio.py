"""Reference audio as it travels in requests: base64, a data URL, or an address that is not followed."""

import base64
import binascii
import hashlib
import re
from typing import Final

from harness.providers.delivery import extension_of
from replay.importers.records import Recording, Unusable

__all__ = ["inline_recording", "recording_of"]

_DATA_URL: Final = re.compile(r"data:[\w./+-]*(?:;[\w=.-]+)*;base64,", re.ASCII)
_ADDRESS: Final = re.compile(r"(?:https?|oss|file)://", re.IGNORECASE)


def recording_of(audio: bytes) -> Recording:
    """The recording that these bytes are.

    Raises:
        Unusable: They are no audio.
    """
    if extension_of(audio) is None:
        raise Unusable("the reference audio is no audio known here")
    return Recording(hashlib.sha256(audio).hexdigest(), lambda: audio)


def inline_recording(value: str | None) -> Recording | None:
    """The recording in base64 or a data URL; None when there is none, or only its address.

    Raises:
        Unusable: It is neither.
    """
    if not value or _ADDRESS.match(value):
        return None
    prefix = _DATA_URL.match(value)
    try:
        audio = base64.b64decode(value[prefix.end() :] if prefix else value, validate=True)
    except (binascii.Error, ValueError):
        raise Unusable("the base64 of the reference audio is damaged") from None
    return recording_of(audio)
