from typing import Any

import pytest

from harness.store.journal import Record
from harness.store.manifest import Manifest, sha256_of


def records() -> list[Record]:
    plan = {"capture_ids_sha256": sha256_of(["a", "b/1"]), "captures": 2, "seed": 1}
    found: list[Record] = [{"type": "plan", "plan": plan, "plan_sha256": sha256_of(plan)}]
    for capture_id in ("a", "b/1"):
        key = f"{capture_id}/0/control"
        legs = [{"key": key, "lane": "control"}]
        intent = {"type": "intent", "call": key, "leg": key, "provider": "modal", "worst_microusd": 1}
        found += [{"type": "planned", "capture": {"capture_id": capture_id}, "legs": legs}, intent]
        found.append({"type": "result", "leg": key, "row": {"outcome": "ok", "attempts": 1}})
    return found


def found(changed: list[Record]) -> list[str]:
    manifest = Manifest()
    early = [problem for record in changed for problem in manifest.add(record)]
    return [*early, *manifest.problems()]


def test_a_run_that_did_what_it_planned_has_no_problems() -> None:
    assert found(records()) == []


@pytest.mark.parametrize(
    ("place", "change", "problem"),
    [
        pytest.param(0, {"plan_sha256": "p" * 64}, "not the one that was confirmed", id="another hash"),
        pytest.param(0, {"plan": {"captures": 2}}, "not the one that was confirmed", id="another plan"),
        pytest.param(1, {"capture": {"capture_id": "x"}}, "not those of the plan", id="another capture"),
        pytest.param(
            2, {"leg": "voice:v"}, "a/0/control: 1 calls were sent and 0 are on record", id="an unbooked call"
        ),
        pytest.param(
            3,
            {"row": {"outcome": "ok", "attempts": 3}},
            "a/0/control: 3 calls were sent and 1 are on record",
            id="unbooked retries",
        ),
    ],
)
def test_whatever_is_not_as_planned_is_named(place: int, change: dict[str, Any], problem: str) -> None:
    changed = records()
    changed[place] = {**changed[place], **change}

    assert problem in "\n".join(found(changed))


def test_a_capture_that_is_gone_without_a_trace_is_missed() -> None:
    problems = found(records()[:4])

    assert problems == [
        "the captures are not those of the plan, or not in its order",
        "legs are planned for another number of captures than the 2 of the plan",
    ]


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert sha256_of({"a": 1, "b": [1, 2]}) == sha256_of({"b": [1, 2], "a": 1})
