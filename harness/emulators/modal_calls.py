"""Function calls on Modal: work that goes on whether or not somebody waits, and can be asked for by id."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from harness.clock import Clock

__all__ = ["FunctionCall", "FunctionCalls"]

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_MOST_KEPT: Final = 1_000  # results hold audio


@dataclass(slots=True, kw_only=True)
class FunctionCall:
    """One call; done at its due time, when its audio is also rendered."""

    id: str
    started_s: float
    due_s: float
    wav: "asyncio.Future[bytes]"
    headers: Mapping[str, str]
    is_cancelled: bool = False


class FunctionCalls:
    """Calls that somebody may come back for."""

    def __init__(self, *, seed: int, kept_s: float, clock: Clock) -> None:
        """Begin with none.

        Args:
            seed: Of the ids.
            kept_s: How long a result can be fetched, by `clock`.
            clock: Tells the time.
        """
        self._random = Random(f"{seed} function calls")
        self._kept_s = kept_s
        self._clock = clock
        self._calls: dict[str, FunctionCall] = {}

    def new_id(self) -> str:
        """An id no other call has."""
        return "fc-" + "".join(self._random.choices(_ALPHABET, k=26))

    def keep(self, call: FunctionCall) -> None:
        """Remember a call; the oldest give way."""
        self._calls[call.id] = call
        while len(self._calls) > _MOST_KEPT:
            del self._calls[next(iter(self._calls))]

    def reset(self) -> None:
        """Remember no call."""
        self._calls.clear()

    def find(self, call_id: str) -> FunctionCall | None:
        """The call; None when there never was one, or its result has expired."""
        call = self._calls.get(call_id)
        if call is not None and self._clock.monotonic() > call.due_s + self._kept_s:
            del self._calls[call_id]
            return None
        return call
