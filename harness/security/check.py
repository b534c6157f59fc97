"""One check of the security gate: what it asserts, how grave its failure is, and what has to be run for it."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Check", "Maps", "Profile", "Severity"]


class Severity(StrEnum):
    """How grave a failure is; `critical` can never be waived."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def decides(self) -> bool:
        """Whether one such failure, or one that was not run, shuts the gate."""
        return self in (Severity.CRITICAL, Severity.HIGH)


class Profile(StrEnum):
    """How much time a run takes."""

    CI = "ci"  # with every change: minutes
    RELEASE = "release"  # before the integration counts as done: the long forms as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """Which requirements of others a check answers."""

    asvs: tuple[str, ...] = ()  # OWASP ASVS 5.0
    api10: tuple[str, ...] = ()  # OWASP API Security Top 10, 2023
    privacy: tuple[str, ...] = ()  # articles of laws


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A row of the catalogue. It passes when every scan finds nothing and every test passes."""

    id: str  # S8-01 …
    title: str
    severity: Severity
    asserted: str  # what is true when it passes
    scans: tuple[str, ...] = ()  # names in scans.py
    tests: tuple[str, ...] = ()  # pytest nodes, all parameters of each
    release_tests: tuple[str, ...] = ()  # more of them, too long for every change
    maps: Maps = Maps()

    def nodes(self, profile: Profile) -> tuple[str, ...]:
        """The tests that a run of this profile needs."""
        return self.tests + (self.release_tests if profile is Profile.RELEASE else ())
