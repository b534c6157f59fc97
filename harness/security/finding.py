"""What a security rule objects to, and where.

Which check of the gate a rule belongs to is the catalogue's business.
"""

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One place that breaks one rule; never holds what it found there when that is a secret."""

    path: str  # from the root of the checkout, with "/"; of a commit, "COMMIT:path"
    line: int  # from 1; 0 when the rule is about the whole file
    rule: str  # its id in the catalogue of the gate, such as "S8-07"
    message: str  # what is there, and what to do instead

    def __str__(self) -> str:
        """The finding as compilers write theirs, so that editors jump to it."""
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message} ({self.rule})"
