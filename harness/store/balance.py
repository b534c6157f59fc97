"""A run's journal, added up without keeping it: every planned leg and its outcome, every paid call and its cost.

A run's journal holds records of these types:

    plan      what the run is; always the first
    planned   one capture and its legs
    voice     a voice made at a provider for this run, or deleted again
    intent    a paid call is about to go out, with the most it can cost
    settle    what that call cost; null when the provider left it open
    result    the final outcome of one leg
    warm_up   a call before anything was timed: paid, and no leg
    pacing    how punctual a sitting was; a run that was resumed has several

Whether a leg was answered has to be known whatever happens, so about 22 bytes are kept of each. All else is sums, and
what is under way.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from harness.errors import ErrorKind, StoreError
from harness.store.journal import Record
from harness.store.key_table import KeyTable

__all__ = ["HELD_BACK_S", "HELD_BACK_SHARE", "Balance"]

HELD_BACK_S: Final = 0.1  # a leg that leaves this long after it was due was slowed by us
HELD_BACK_SHARE: Final = 0.01  # more such legs, and the 99th percentile from the due time is ours, not the provider's

# Nothing was sent for these, so another run of the same plan may still send them.
_UNSENT: Final = frozenset({ErrorKind.BUDGET.value, ErrorKind.CANCELLED.value})

# What is kept of a leg, in 16 bits: its lane and outcome by their places in lists, and what its timing counted as.
_OUTCOME_BITS: Final = 8
_LANE_BITS: Final = 4
_TIMED: Final = 1 << (_OUTCOME_BITS + _LANE_BITS)
_HELD: Final = _TIMED << 1
_NO_OUTCOME: Final = "missing"


class _Call(NamedTuple):
    """A paid call that is not settled."""

    leg: str
    provider: str
    microusd: int


@dataclass(slots=True)
class _Sent:
    """What went out for a leg that lacks its final outcome."""

    calls: int = 0
    microusd: int = 0
    is_answered: bool = False  # with an outcome that left it open, since the latest call


@dataclass(slots=True)
class Balance:
    """What the records say so far; `add` takes the next one."""

    plan: Record = field(default_factory=dict)  # the journal's first record
    legs: int = 0  # planned
    paid_calls: int = 0
    voices: dict[str, Record] = field(default_factory=dict)  # provider's voice id → how it was made
    warm_ups: int = 0
    pacing: Record = field(default_factory=dict)  # the latest record of that type
    ended_at: str | None = None  # the time of the last record that has one
    _keys: KeyTable = field(default_factory=KeyTable)  # leg key → its number, in planned order
    _states: "array[int]" = field(default_factory=lambda: array("H"))  # by number
    _lanes: list[str] = field(default_factory=list)
    _kinds: list[str] = field(default_factory=lambda: [_NO_OUTCOME])  # of outcomes
    _counts: dict[str, Counter[str]] = field(default_factory=dict)  # lane → how often each outcome
    _timed: int = 0  # legs that were timed …
    _held: int = 0  # … and those that were held back
    _spent: Counter[str] = field(default_factory=Counter)  # by provider, unsettled calls at their worst
    _unsettled: dict[str, _Call] = field(default_factory=dict)
    _sent: dict[str, _Sent] = field(default_factory=dict)  # by leg

    @classmethod
    def of(cls, records: Iterable[Record]) -> Self:
        """The balance of a whole journal.

        Raises:
            StoreError: It does not begin with a plan, or answers what was not planned.
        """
        balance = cls()
        for record in records:
            balance.add(record)
        balance.require_plan()
        return balance

    def require_plan(self) -> None:
        """Refuse what never began.

        Raises:
            StoreError: No plan was booked.
        """
        if not self.plan:
            raise StoreError("the journal holds no plan: the run never began, delete its folder")

    def add(self, record: Record) -> None:
        """Book one record."""
        kind = record["type"]
        if (kind == "plan") == bool(self.plan):
            raise StoreError("a journal has one plan, and it comes first")
        match kind:
            case "plan":
                self.plan = record
            case "planned":
                self._planned(record)
            case "intent":
                self._intent(record)
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

    def _planned(self, record: Record) -> None:
        for leg in record["legs"]:
            if self._keys.number(leg["key"]) < self.legs:
                raise StoreError(f"the journal plans {leg['key']} twice")
            self.legs += 1
            self._states.append(_place(self._lanes, leg["lane"]) << _OUTCOME_BITS)
            self._counts.setdefault(leg["lane"], Counter())[_NO_OUTCOME] += 1

    def _intent(self, record: Record) -> None:
        call = _Call(record["leg"], record["provider"], record["worst_microusd"] or 0)
        self._unsettled[record["call"]] = call
        self.paid_calls += 1
        self._spent[call.provider] += call.microusd
        number = self._keys.find(call.leg)  # voices and warm-ups are no legs
        if number is not None and self._is_open(number, resend_unknown=True):
            sent = self._sent.setdefault(call.leg, _Sent())
            sent.calls += 1
            sent.microusd += call.microusd
            sent.is_answered = False

    def _settle(self, record: Record) -> None:
        call = self._unsettled.pop(record["call"], None)
        if call is None:
            raise StoreError(f"the journal settles {record['call']}, which is not under way")
        if record["microusd"] is not None:
            self._spent[call.provider] += record["microusd"] - call.microusd
            if call.leg in self._sent:
                self._sent[call.leg].microusd += record["microusd"] - call.microusd

    def _voice(self, record: Record) -> None:
        if record["event"] == "made":
            self.voices[record["voice_id"]] = record
        else:
            self.voices.pop(record["voice_id"], None)

    def _result(self, record: Record) -> None:
        """One final outcome per leg; only one that left it open may be replaced, by sending it again."""
        key, row = record["leg"], record["row"]
        number = self._keys.find(key)
        if number is None:
            raise StoreError(f"the journal answers {key}, which was never planned")
        if not self._is_open(number, resend_unknown=True):
            raise StoreError(f"the journal answers {key} twice")
        self._count(number, row["outcome"], row.get("queued_s"))
        if not self._is_open(number, resend_unknown=True):
            self._sent.pop(key, None)
        elif key in self._sent:
            self._sent[key].is_answered = True

    def _count(self, number: int, outcome: str, queued_s: float | None) -> None:
        """Put a leg's new outcome in the place of its old one."""
        before = self._states[number]
        lane = before >> _OUTCOME_BITS & ((1 << _LANE_BITS) - 1)
        state = lane << _OUTCOME_BITS | _place(self._kinds, outcome)
        if queued_s is not None:
            state |= _TIMED | (_HELD if queued_s > HELD_BACK_S else 0)
        counts = self._counts[self._lanes[lane]]
        counts[self._outcome(number)] -= 1
        counts[outcome] += 1
        self._timed += bool(state & _TIMED) - bool(before & _TIMED)
        self._held += bool(state & _HELD) - bool(before & _HELD)
        self._states[number] = state

    def _outcome(self, number: int) -> str:
        return self._kinds[self._states[number] & ((1 << _OUTCOME_BITS) - 1)]

    def number(self, key: str) -> int | None:
        """The place of a leg among all that were planned, from 0; None for one that was not."""
        return self._keys.find(key)

    def is_answered(self, key: str) -> bool:
        """Whether a planned leg has an outcome, be it one that left it open."""
        number = self._keys.find(key)
        return number is not None and self._outcome(number) != _NO_OUTCOME

    def is_open(self, key: str, *, resend_unknown: bool) -> bool:
        """Whether a planned leg may be sent: without outcome, or with one that left it open."""
        number = self._keys.find(key)
        return number is None or self._is_open(number, resend_unknown=resend_unknown)

    def _is_open(self, number: int, *, resend_unknown: bool) -> bool:
        outcome = self._outcome(number)
        return (
            outcome == _NO_OUTCOME
            or outcome in _UNSENT
            or (resend_unknown and outcome == ErrorKind.UNKNOWN_OUTCOME.value)
        )

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to send."""
        return not any(counts[outcome] for counts in self._counts.values() for outcome in (_NO_OUTCOME, *_UNSENT))

    @property
    def unanswered(self) -> int:
        """Planned legs without an outcome."""
        return sum(counts[_NO_OUTCOME] for counts in self._counts.values())

    @property
    def answered(self) -> int:
        """Planned legs with an outcome."""
        return self.legs - self.unanswered

    @property
    def unknown(self) -> set[str]:
        """Legs that were sent and whose outcome never came: the run was killed in between."""
        return {key for key, sent in self._sent.items() if not sent.is_answered}

    def calls_of(self, key: str) -> int:
        """Paid calls of a leg that lacks its final outcome; none of any other."""
        return self._sent[key].calls if key in self._sent else 0

    def cost_of(self, key: str) -> int:
        """What those calls cost in micro-dollars, each at its worst until it is settled."""
        return self._sent[key].microusd if key in self._sent else 0

    def spent_microusd(self, provider: str | None = None) -> int:
        """What was spent, calls whose cost is not known counted at their worst."""
        return self._spent.total() if provider is None else self._spent[provider]

    def spent_by_provider(self) -> dict[str, int]:
        """Provider → what was spent there, in micro-dollars."""
        return dict(self._spent)

    @property
    def held_back_share(self) -> float | None:
        """Of the legs that were timed, those that our own quota, budget or concurrency held back too long."""
        return self._held / self._timed if self._timed else None

    def outcomes(self) -> dict[str, Counter[str]]:
        """Lane → how often each outcome; legs without one count as `missing`."""
        return {lane: +counts for lane, counts in self._counts.items()}


def _place(names: list[str], name: str) -> int:
    """Where a name stands in a list, put at its end when it is new."""
    if name not in names:
        names.append(name)
    return names.index(name)
