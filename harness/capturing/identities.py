"""People and sessions under names that only the holder of the key can join with anything: keyed HMAC-SHA256."""

import hashlib
import hmac
import re
from functools import lru_cache
from typing import Final

__all__ = ["MARK", "Pseudonyms", "is_pseudonym"]

MARK: Final = "hmac:"
_DIGITS: Final = 32  # 128 bits: no two of a billion names meet
_REMEMBERED: Final = 1_024  # people come again: half of an import's hashing was for those it had just seen
_PSEUDONYM: Final = re.compile(f"{MARK}[0-9a-f]{{{_DIGITS}}}")


def is_pseudonym(name: str) -> bool:
    """Whether a name is one that was given here; a mark before somebody's own name makes it none."""
    return _PSEUDONYM.fullmatch(name) is not None


class Pseudonyms:
    """Gives the same name for the same identity, as long as the key is the same."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)
        self._recent = lru_cache(maxsize=_REMEMBERED)(self.digest)

    def of(self, kind: str, value: str) -> str:
        """`hmac:…` for an identity of this kind ("user", "voice", …); one that is a pseudonym already stays."""
        if is_pseudonym(value):
            return value
        return MARK + self._recent(kind, value)[:_DIGITS]

    def digest(self, kind: str, value: str) -> str:
        """The keyed hash in hexadecimal digits; kinds do not meet."""
        message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        keyed = self._keyed.copy()  # a third of the time that beginning with the key takes
        keyed.update(message)
        return keyed.hexdigest()
