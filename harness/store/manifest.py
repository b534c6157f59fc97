"""What a run set out to do, as its first record binds it: does the hash hold, and is what was planned what it names?"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from harness.store.ledger import Ledger

__all__ = ["manifest_problems", "sha256_of"]


def sha256_of(value: Any) -> str:
    """The hash of something that JSON can hold: the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def manifest_problems(ledger: Ledger) -> Iterator[str]:
    """Everything in which a run's captures, legs and calls are not those of its plan, one sentence each."""
    record = ledger.plan
    plan = record.get("plan", {})
    if record.get("plan_sha256") != sha256_of(plan):
        yield "the plan is not the one that was confirmed: its hash is another than the one beside it"
    ids = plan.get("capture_ids_sha256")
    if ids is not None and ids != sha256_of([capture["capture_id"] for capture in ledger.captures]):
        yield "the captures are not those of the plan, or not in its order"
    captures = plan.get("captures")
    if captures is not None and len({_capture_of(key) for key in ledger.planned}) != captures:
        yield f"legs are planned for another number of captures than the {captures} of the plan"
    yield from _unbooked(ledger)


def _unbooked(ledger: Ledger) -> Iterator[str]:
    """Answers without the calls they were paid with: money that no record accounts for."""
    calls: dict[str, int] = {}
    for call in ledger.calls.values():
        calls[call["leg"]] = calls.get(call["leg"], 0) + 1
    for key, row in ledger.results.items():
        if (row.get("attempts") or 0) > calls.get(key, 0):
            yield f"{key}: {row['attempts']} calls were sent and {calls.get(key, 0)} are on record"


def _capture_of(key: str) -> str:
    return key.rsplit("/", 2)[0]
