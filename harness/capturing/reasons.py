"""Why a request gives no capture; raised where it is found, and passed on as a value."""

__all__ = ["LeftOut", "Skipped", "Unusable"]


class LeftOut(Exception):
    """A request that gives no capture. The reason never quotes what was in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Skipped(LeftOut):
    """There was nothing to replay in it: another endpoint, a response, a repetition."""


class Unusable(LeftOut):
    """It was meant to be a speech request and cannot be replayed: cut short, mangled, not expressible."""
