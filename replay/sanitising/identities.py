"""People and sessions under names that only the holder of the key can join with anything: keyed HMAC-SHA256."""

import hashlib
import hmac
from typing import Final

__all__ = ["MARK", "Pseudonyms"]

MARK: Final = "hmac:"
_DIGITS: Final = 32  # 128 bits: no two of a billion names meet


class Pseudonyms:
    """Gives the same name for the same identity, as long as the key is the same."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)

    def of(self, kind: str, value: str) -> str:
        """`hmac:…` for an identity of this kind ("user", "voice", …); one that is a pseudonym already stays."""
        if value.startswith(MARK):
            return value
        return MARK + self.digest(kind, value)[:_DIGITS]

    def digest(self, kind: str, value: str) -> str:
        """The keyed hash in hexadecimal digits; kinds do not meet."""
        message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        keyed = self._keyed.copy()  # a third of the time that beginning with the key takes
        keyed.update(message)
        return keyed.hexdigest()
