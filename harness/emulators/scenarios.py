"""How the stand-ins behave, by the name of a scenario. Nobody else knows the names.

A scenario changes the candidate, so that the one question of the program gets every answer; the control stays healthy
in all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from harness.emulators.calls import Call
from harness.errors import UsageError

__all__ = ["SCENARIOS", "Conduct", "Damage", "Fault", "conduct_in"]


class Fault(StrEnum):
    """How a call ends without a result."""

    INTERNAL_ERROR = "internal-error"  # 500, before any work
    UNAVAILABLE = "unavailable"  # 503, before any work
    RESET = "reset"  # the work is done and billed, then the connection breaks
    HANG = "hang"  # the work is done and billed, and no reply ever comes


class Damage(StrEnum):
    """What is wrong with the audio of a call that succeeds."""

    TRUNCATED = "truncated"
    CLIPPED = "clipped"
    SILENT = "silent"
    WRONG_VOICE = "wrong-voice"


# A hang costs the caller its whole read timeout, so it is the rarest.
_FAULTS: Final = MappingProxyType(
    {Fault.INTERNAL_ERROR: 0.4, Fault.UNAVAILABLE: 0.3, Fault.RESET: 0.2, Fault.HANG: 0.1}
)
_DAMAGES: Final = MappingProxyType(dict.fromkeys(Damage, 0.25))

Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What one provider does in one scenario; shares are of calls."""

    stalled_share: float = 0.0  # take far longer than the legacy path would for the same text
    faulty_share: float = 0.0
    damaged_share: float = 0.0
    bill_factor: int = 1  # on characters and voices, reported and billed alike

    def fault(self, call: Call) -> Fault | None:
        """How the call fails; the same at every turn, so that a retry does not help."""
        return _chosen(_FAULTS, call.lot("which fault")) if call.lot("fault") < self.faulty_share else None

    def damage(self, call: Call) -> Damage | None:
        """What is wrong with its audio; the same at every turn."""
        return _chosen(_DAMAGES, call.lot("which damage")) if call.lot("damage") < self.damaged_share else None

    def stalls(self, call: Call) -> bool:
        """Whether it takes far too long; each turn draws anew."""
        return call.random("stall").random() < self.stalled_share


def _chosen(shares: Mapping[Choice, float], lot: float) -> Choice:
    """The choice on whose share of [0, 1) the lot falls."""
    *earlier, last = shares.items()
    for choice, share in earlier:
        lot -= share
        if lot < 0:
            return choice
    return last[0]


SCENARIOS: Final = MappingProxyType(
    {
        "healthy": Conduct(),
        "slow": Conduct(stalled_share=0.25),
        "flaky": Conduct(faulty_share=0.13),
        "degraded": Conduct(damaged_share=0.20),
        "costly": Conduct(bill_factor=3),
    }
)
_CANDIDATE: Final = "qwen"


def conduct_in(scenario: str, provider: str) -> Conduct:
    """What `provider` does in the scenario.

    Raises:
        UsageError: There is no such scenario; lists those there are.
    """
    if scenario not in SCENARIOS:
        raise UsageError(f"no scenario {scenario!r}; the stand-ins know {_listed(SCENARIOS)}")
    return SCENARIOS[scenario] if provider == _CANDIDATE else Conduct()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
