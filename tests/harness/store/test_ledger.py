import pytest

from harness.errors import StoreError
from harness.store.journal import Record
from harness.store.ledger import Ledger

PLAN: Record = {"type": "plan", "run_id": "r1", "started_at": "2026-11-23T12:00:00+00:00"}


def planned(capture_id: str, *lanes: str) -> Record:
    legs = [
        {"key": f"{capture_id}/0/{lane}", "lane": lane, "repetition": 0, "position": n} for n, lane in enumerate(lanes)
    ]
    return {"type": "planned", "capture": {"capture_id": capture_id}, "legs": legs}


def intent(call: str, leg: str, worst: int | None = 100, provider: str = "qwen") -> Record:
    return {"type": "intent", "call": call, "leg": leg, "provider": provider, "worst_microusd": worst, "at": "t"}


def result(leg: str, outcome: str = "ok") -> Record:
    return {"type": "result", "leg": leg, "row": {"outcome": outcome}, "at": "t"}


def test_every_planned_leg_is_counted_in_exactly_one_place() -> None:
    ledger = Ledger.of(
        [
            PLAN,
            planned("a", "control", "candidate"),
            planned("b", "candidate", "control"),
            result("a/0/control"),
            result("a/0/candidate", "timeout_read"),
            result("b/0/control"),
        ]
    )

    assert ledger.outcomes() == {"control": {"ok": 2}, "candidate": {"timeout_read": 1, "missing": 1}}
    assert ledger.missing == ["b/0/candidate"]


def test_a_leg_that_was_sent_and_never_answered_is_unknown() -> None:
    ledger = Ledger.of(
        [PLAN, planned("a", "control", "candidate"), intent("1", "a/0/candidate"), intent("2", "voice:v")]
    )

    assert ledger.unknown == {"a/0/candidate"}


def test_a_call_that_was_not_settled_counts_at_its_worst() -> None:
    ledger = Ledger.of(
        [
            PLAN,
            intent("1", "x"),
            intent("2", "x"),
            intent("3", "y", provider="modal"),
            {"type": "settle", "call": "2", "microusd": 30},
        ]
    )

    assert ledger.spent_microusd() == 230
    assert ledger.spent_microusd("qwen") == 130


def test_a_voice_that_was_deleted_is_no_longer_kept() -> None:
    made = [{"type": "voice", "event": "made", "voice_id": voice, "provider": "qwen"} for voice in ("v1", "v2")]

    ledger = Ledger.of([PLAN, *made, {"type": "voice", "event": "deleted", "voice_id": "v1", "provider": "qwen"}])

    assert set(ledger.voices) == {"v2"}


def test_a_second_answer_to_one_leg_is_refused() -> None:
    with pytest.raises(StoreError, match="a/0/control twice"):
        Ledger.of([PLAN, planned("a", "control"), result("a/0/control"), result("a/0/control")])


@pytest.mark.parametrize("first", ["unknown_outcome", "budget", "cancelled"])
def test_an_outcome_that_left_it_open_may_be_replaced(first: str) -> None:
    ledger = Ledger.of([PLAN, planned("a", "control"), result("a/0/control", first), result("a/0/control")])

    assert ledger.results["a/0/control"]["outcome"] == "ok"


def test_an_answer_to_nothing_is_refused() -> None:
    with pytest.raises(StoreError, match="never planned"):
        Ledger.of([PLAN, result("a/0/control")])


@pytest.mark.parametrize(
    "records", [[], [planned("a", "control")], [PLAN, PLAN]], ids=["empty", "no plan", "two plans"]
)
def test_a_journal_has_one_plan_and_it_comes_first(records: list[Record]) -> None:
    with pytest.raises(StoreError, match="plan"):
        Ledger.of(records)


def test_the_last_time_in_the_journal_is_the_end() -> None:
    ledger = Ledger.of([PLAN, planned("a", "control"), {**result("a/0/control"), "at": "2026-11-23T12:05:00+00:00"}])

    assert ledger.ended_at == "2026-11-23T12:05:00+00:00"


def test_the_rows_of_a_capture_come_together_by_lane() -> None:
    ledger = Ledger.of(
        [
            PLAN,
            planned("a", "control", "candidate"),
            planned("b", "candidate", "control", "repeat"),
            planned("c", "control", "candidate"),
            result("b/0/repeat"),
            result("a/0/candidate", "timeout_read"),
            result("b/0/control"),
        ]
    )

    assert list(ledger.pairs()) == [
        {"candidate": {"outcome": "timeout_read"}},
        {"control": {"outcome": "ok"}, "repeat": {"outcome": "ok"}},
    ]


def test_legs_held_back_by_us_are_counted_among_those_that_were_timed() -> None:
    waits = {"a": 0.05, "b": 0.2, "c": None, "d": 3.0}
    legs = [planned(name, "control") for name in waits]
    results = [
        {"type": "result", "leg": f"{name}/0/control", "row": {"outcome": "ok", "queued_s": wait_s}, "at": "t"}
        for name, wait_s in waits.items()
    ]

    assert Ledger.of([PLAN, *legs, *results]).held_back_share == 2 / 3
    assert Ledger.of([PLAN, *legs]).held_back_share is None


def test_warm_ups_are_counted_apart_and_the_latest_sitting_tells_its_pacing() -> None:
    ledger = Ledger.of([PLAN, {"type": "warm_up"}, {"type": "pacing", "n": 1}, {"type": "pacing", "n": 2}])

    assert (ledger.warm_ups, ledger.pacing["n"], ledger.results) == (1, 2, {})
