"""What a run set out to do, as its first record binds it: does the hash hold, and is what was planned what it names?"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from harness.store.balance import Balance
from harness.store.journal import Record

__all__ = ["Manifest", "sha256_of"]


def sha256_of(value: Any) -> str:
    """The hash of something that JSON can hold: the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Manifest:
    """A run's records held against its plan, one after the other; none of them is kept."""

    def __init__(self) -> None:
        self.balance = Balance()
        self._captures = 0  # that legs are planned for
        self._latest: str | None = None
        self._ids = _ListHash()

    def add(self, record: Record) -> Iterator[str]:
        """Book one record; an answer that lacks the calls it was paid with is a problem: money without a record."""
        key = record["leg"] if record["type"] == "result" else None
        calls = self.balance.calls_of(key) if key else 0
        self.balance.add(record)
        if record["type"] == "planned":
            self._plan(record)
        elif key and (record["row"].get("attempts") or 0) > calls:
            yield f"{key}: {record['row']['attempts']} calls were sent and {calls} are on record"

    def _plan(self, record: Record) -> None:
        if record["capture"] is not None:
            self._ids.add(record["capture"]["capture_id"])
        for leg in record["legs"]:
            capture_id = leg["key"].rsplit("/", 2)[0]
            self._captures += capture_id != self._latest  # all legs of a capture are planned in a row
            self._latest = capture_id

    def problems(self) -> Iterator[str]:
        """Everything in which captures and legs are not those of the plan, once all records are booked."""
        record = self.balance.plan
        plan = record.get("plan", {})
        if record.get("plan_sha256") != sha256_of(plan):
            yield "the plan is not the one that was confirmed: its hash is another than the one beside it"
        ids = plan.get("capture_ids_sha256")
        if ids is not None and ids != self._ids.hexdigest():
            yield "the captures are not those of the plan, or not in its order"
        captures = plan.get("captures")
        if captures is not None and self._captures != captures:
            yield f"legs are planned for another number of captures than the {captures} of the plan"


class _ListHash:
    """`sha256_of` a list, of which one item is held at a time."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256(b"[")
        self._is_empty = True

    def add(self, item: str) -> None:
        self._digest.update((b"" if self._is_empty else b",") + json.dumps(item).encode())
        self._is_empty = False

    def hexdigest(self) -> str:
        whole = self._digest.copy()
        whole.update(b"]")
        return whole.hexdigest()
