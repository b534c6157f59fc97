"""A run's journal, added up with every row of it at hand: for runs that fit into memory.

What the records mean and what they add up to is the balance's business (harness/store/balance.py).
"""

from dataclasses import dataclass, field

from harness.store.balance import Balance
from harness.store.journal import Record

__all__ = ["Ledger"]


@dataclass(slots=True)
class Ledger(Balance):
    """The balance of a journal, and its rows."""

    captures: list[Record] = field(default_factory=list)  # rows of table `captures`
    planned: dict[str, Record] = field(default_factory=dict)  # leg key → its place, in planned order
    results: dict[str, Record] = field(default_factory=dict)  # leg key → row of table `exchanges`
    calls: dict[str, Record] = field(default_factory=dict)  # call id → its intent and `microusd`

    def add(self, record: Record) -> None:
        """Book one record and keep what it holds."""
        Balance.add(self, record)  # `super()` would look for the class that slots have replaced
        match record["type"]:
            case "planned":
                if record["capture"] is not None:  # later repetitions leave it out
                    self.captures.append(record["capture"])
                self.planned.update((leg["key"], leg) for leg in record["legs"])
            case "intent":
                self.calls[record["call"]] = {**record, "microusd": record["worst_microusd"], "settled": False}
            case "settle":
                call = self.calls[record["call"]]
                known = record["microusd"] is not None
                call.update(settled=True, microusd=record["microusd"] if known else call["microusd"])
            case "result":
                self.results[record["leg"]] = record["row"]

    @property
    def missing(self) -> list[str]:
        """Planned legs without an outcome, in planned order."""
        return [key for key in self.planned if key not in self.results]
