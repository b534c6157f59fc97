"""A run's journal, added up: every planned leg and its outcome, every paid call and its cost.

A run's journal holds records of these types:

    plan      what the run is; always the first
    planned   one capture and its legs
    voice     a voice made at a provider for this run, or deleted again
    intent    a paid call is about to go out, with the most it can cost
    settle    what that call cost; null when the provider left it open
    result    the final outcome of one leg
    warm_up   a call before anything was timed: paid, and no leg
    pacing    how punctual a sitting was; a run that was resumed has several
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from harness.errors import ErrorKind, StoreError
from harness.store.journal import Record

__all__ = ["HELD_BACK_S", "HELD_BACK_SHARE", "Ledger"]

HELD_BACK_S: Final = 0.1  # a leg that leaves this long after it was due was slowed by us
HELD_BACK_SHARE: Final = 0.01  # more such legs, and the 99th percentile from the due time is ours, not the provider's

# Nothing was sent for these, so another run of the same plan may still send them.
_UNSENT: Final = frozenset({ErrorKind.BUDGET.value, ErrorKind.CANCELLED.value})


@dataclass(slots=True)
class Ledger:
    """What the records say so far; `add` takes the next one."""

    plan: Record = field(default_factory=dict)  # the journal's first record
    captures: list[Record] = field(default_factory=list)  # rows of table `captures`
    planned: dict[str, Record] = field(default_factory=dict)  # leg key → its place, in planned order
    results: dict[str, Record] = field(default_factory=dict)  # leg key → row of table `exchanges`
    calls: dict[str, Record] = field(default_factory=dict)  # call id → its intent and `microusd`
    voices: dict[str, Record] = field(default_factory=dict)  # provider's voice id → how it was made
    warm_ups: int = 0
    pacing: Record = field(default_factory=dict)  # the latest record of that type
    ended_at: str | None = None  # the time of the last record that has one

    @classmethod
    def of(cls, records: Iterable[Record]) -> Self:
        """The ledger of a whole journal.

        Raises:
            StoreError: It does not begin with a plan, or answers what was not planned.
        """
        ledger = cls()
        for record in records:
            ledger.add(record)
        if not ledger.plan:
            raise StoreError("the journal holds no plan: the run never began, delete its folder")
        return ledger

    def add(self, record: Record) -> None:
        """Book one record."""
        kind = record["type"]
        if (kind == "plan") == bool(self.plan):
            raise StoreError("a journal has one plan, and it comes first")
        match kind:
            case "plan":
                self.plan = record
            case "planned":
                if record["capture"] is not None:  # later repetitions leave it out
                    self.captures.append(record["capture"])
                self.planned.update((leg["key"], leg) for leg in record["legs"])
            case "intent":
                self.calls[record["call"]] = {**record, "microusd": record["worst_microusd"], "settled": False}
            case "settle":
                self._settle(record)
            case "voice":
                self._voice(record)
            case "result":
                self._result(record)
            case "warm_up":
                self.warm_ups += 1
            case "pacing":
                self.pacing = record
        self.ended_at = record.get("at") or self.ended_at

    def _settle(self, record: Record) -> None:
        call = self.calls[record["call"]]
        call["settled"] = True
        if record["microusd"] is not None:
            call["microusd"] = record["microusd"]

    def _voice(self, record: Record) -> None:
        if record["event"] == "made":
            self.voices[record["voice_id"]] = record
        else:
            self.voices.pop(record["voice_id"], None)

    def _result(self, record: Record) -> None:
        """One final outcome per leg; only one that left it open may be replaced, by sending it again."""
        key = record["leg"]
        if key not in self.planned:
            raise StoreError(f"the journal answers {key}, which was never planned")
        if not self.is_open(key, resend_unknown=True):
            raise StoreError(f"the journal answers {key} twice")
        self.results[key] = record["row"]

    def is_open(self, key: str, *, resend_unknown: bool) -> bool:
        """Whether a planned leg may be sent: without outcome, or with one that left it open."""
        row = self.results.get(key)
        if row is None:
            return True
        return row["outcome"] in _UNSENT or (resend_unknown and row["outcome"] == ErrorKind.UNKNOWN_OUTCOME)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to send."""
        return not any(self.is_open(key, resend_unknown=False) for key in self.planned)

    @property
    def missing(self) -> list[str]:
        """Planned legs without an outcome, in planned order."""
        return [key for key in self.planned if key not in self.results]

    @property
    def unknown(self) -> set[str]:
        """Legs that were sent and whose outcome never came: the run was killed in between."""
        sent = {call["leg"] for call in self.calls.values()}
        return {key for key in self.missing if key in sent}

    def spent_microusd(self, provider: str | None = None) -> int:
        """What was spent, calls whose cost is not known counted at their worst."""
        return sum(call["microusd"] or 0 for call in self.calls.values() if provider in (None, call["provider"]))

    def spent_by_provider(self) -> dict[str, int]:
        """Provider → what was spent there, in micro-dollars."""
        spent: Counter[str] = Counter()
        for call in self.calls.values():
            spent[call["provider"]] += call["microusd"] or 0
        return dict(spent)

    def pairs(self) -> Iterator[dict[str, Record]]:
        """Lane → row of table `exchanges`, for each capture and repetition in planned order."""
        together: dict[str, Record] = {}
        place = ""
        for key, leg in self.planned.items():
            if key.rpartition("/")[0] != place:
                if together:
                    yield together
                together, place = {}, key.rpartition("/")[0]
            if key in self.results:
                together[leg["lane"]] = self.results[key]
        if together:
            yield together

    @property
    def held_back_share(self) -> float | None:
        """Of the legs that were timed, those that our own quota, budget or concurrency held back too long."""
        queued = [row["queued_s"] for row in self.results.values() if row.get("queued_s") is not None]
        return sum(wait_s > HELD_BACK_S for wait_s in queued) / len(queued) if queued else None

    def outcomes(self) -> dict[str, Counter[str]]:
        """Lane → how often each outcome; legs without one count as `missing`."""
        counts: dict[str, Counter[str]] = {}
        for key, leg in self.planned.items():
            row = self.results.get(key)
            counts.setdefault(leg["lane"], Counter())[row["outcome"] if row else "missing"] += 1
        return counts
