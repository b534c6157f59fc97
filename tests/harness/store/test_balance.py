import tracemalloc

import pytest

from harness.errors import StoreError
from harness.store.balance import Balance
from harness.store.journal import Record

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
    balance = Balance.of(
        [
            PLAN,
            planned("a", "control", "candidate"),
            planned("b", "candidate", "control"),
            result("a/0/control"),
            result("a/0/candidate", "timeout_read"),
            result("b/0/control"),
        ]
    )

    assert balance.outcomes() == {"control": {"ok": 2}, "candidate": {"timeout_read": 1, "missing": 1}}
    assert (balance.legs, balance.answered, balance.unanswered) == (4, 3, 1)
    assert balance.is_answered("a/0/candidate")
    assert not balance.is_answered("b/0/candidate")


def test_a_leg_that_was_sent_and_never_answered_is_unknown() -> None:
    balance = Balance.of(
        [PLAN, planned("a", "control", "candidate"), intent("1", "a/0/candidate"), intent("2", "voice:v")]
    )

    assert balance.unknown == {"a/0/candidate"}
    assert (balance.calls_of("a/0/candidate"), balance.cost_of("a/0/candidate")) == (1, 100)
    assert (balance.calls_of("voice:v"), balance.spent_microusd()) == (0, 200)


def test_a_call_that_was_not_settled_counts_at_its_worst() -> None:
    balance = Balance.of(
        [
            PLAN,
            intent("1", "x"),
            intent("2", "x"),
            intent("3", "y", provider="modal"),
            {"type": "settle", "call": "2", "microusd": 30},
        ]
    )

    assert balance.spent_microusd() == 230
    assert balance.spent_microusd("qwen") == 130


def test_a_voice_that_was_deleted_is_no_longer_kept() -> None:
    made = [{"type": "voice", "event": "made", "voice_id": voice, "provider": "qwen"} for voice in ("v1", "v2")]

    balance = Balance.of([PLAN, *made, {"type": "voice", "event": "deleted", "voice_id": "v1", "provider": "qwen"}])

    assert set(balance.voices) == {"v2"}


def test_a_second_answer_to_one_leg_is_refused() -> None:
    with pytest.raises(StoreError, match="a/0/control twice"):
        Balance.of([PLAN, planned("a", "control"), result("a/0/control"), result("a/0/control")])


@pytest.mark.parametrize("first", ["unknown_outcome", "budget", "cancelled"])
def test_an_outcome_that_left_it_open_may_be_replaced(first: str) -> None:
    balance = Balance.of([PLAN, planned("a", "control"), result("a/0/control", first), result("a/0/control")])

    assert balance.outcomes() == {"control": {"ok": 1}}
    assert balance.is_finished


def test_an_answer_to_nothing_is_refused() -> None:
    with pytest.raises(StoreError, match="never planned"):
        Balance.of([PLAN, result("a/0/control")])


@pytest.mark.parametrize(
    "records", [[], [planned("a", "control")], [PLAN, PLAN]], ids=["empty", "no plan", "two plans"]
)
def test_a_journal_has_one_plan_and_it_comes_first(records: list[Record]) -> None:
    with pytest.raises(StoreError, match="plan"):
        Balance.of(records)


def test_the_last_time_in_the_journal_is_the_end() -> None:
    balance = Balance.of([PLAN, planned("a", "control"), {**result("a/0/control"), "at": "2026-11-23T12:05:00+00:00"}])

    assert balance.ended_at == "2026-11-23T12:05:00+00:00"


def test_legs_held_back_by_us_are_counted_among_those_that_were_timed() -> None:
    waits = {"a": 0.05, "b": 0.2, "c": None, "d": 3.0}
    legs = [planned(name, "control") for name in waits]
    results = [
        {"type": "result", "leg": f"{name}/0/control", "row": {"outcome": "ok", "queued_s": wait_s}, "at": "t"}
        for name, wait_s in waits.items()
    ]

    assert Balance.of([PLAN, *legs, *results]).held_back_share == 2 / 3
    assert Balance.of([PLAN, *legs]).held_back_share is None


def test_warm_ups_are_counted_apart_and_the_latest_sitting_tells_its_pacing() -> None:
    balance = Balance.of([PLAN, {"type": "warm_up"}, {"type": "pacing", "n": 1}, {"type": "pacing", "n": 2}])

    assert (balance.warm_ups, balance.pacing["n"], balance.legs) == (1, 2, 0)


@pytest.mark.parametrize("first", ["budget", "cancelled", "unknown_outcome"])
def test_a_leg_that_was_sent_once_more_and_then_never_answered_is_unknown_again(first: str) -> None:
    records = [PLAN, planned("a", "control"), intent("1", "a/0/control"), result("a/0/control", first)]

    answered, killed = Balance.of(records), Balance.of([*records, intent("2", "a/0/control", worst=40)])

    assert answered.unknown == set()
    assert killed.unknown == {"a/0/control"}
    assert (killed.calls_of("a/0/control"), killed.cost_of("a/0/control")) == (2, 140)


def test_what_a_leg_cost_is_known_only_until_its_final_outcome_and_then_takes_no_room() -> None:
    settled = {"type": "settle", "call": "1", "microusd": 30}
    records = [PLAN, planned("a", "control"), intent("1", "a/0/control"), settled]

    assert Balance.of(records).cost_of("a/0/control") == 30
    assert Balance.of([*records, result("a/0/control")]).cost_of("a/0/control") == 0


def test_a_replaced_outcome_takes_its_timing_with_it() -> None:
    slow = {"type": "result", "leg": "a/0/control", "row": {"outcome": "budget", "queued_s": 3.0}}
    untimed = {"type": "result", "leg": "a/0/control", "row": {"outcome": "ok", "queued_s": None}}

    assert Balance.of([PLAN, planned("a", "control"), slow]).held_back_share == 1.0
    assert Balance.of([PLAN, planned("a", "control"), slow, untimed]).held_back_share is None


def test_legs_have_numbers_in_planned_order() -> None:
    balance = Balance.of([PLAN, planned("a", "control", "candidate"), planned("b", "candidate")])

    assert [balance.number(f"{leg}") for leg in ("a/0/control", "a/0/candidate", "b/0/candidate")] == [0, 1, 2]
    assert balance.number("b/0/control") is None


def test_a_leg_that_is_planned_twice_is_refused() -> None:
    with pytest.raises(StoreError, match="plans a/0/control twice"):
        Balance.of([PLAN, planned("a", "control"), planned("a", "control")])


def test_a_settlement_of_nothing_is_refused() -> None:
    settle = {"type": "settle", "call": "1", "microusd": 30}

    with pytest.raises(StoreError, match="settles 1, which is not under way"):
        Balance.of([PLAN, intent("1", "x"), settle, settle])


def test_what_is_kept_of_an_answered_leg_is_a_few_bytes() -> None:
    def balance(count: int) -> Balance:
        gone = Balance.of([PLAN])
        for number in range(count):
            leg = f"capture-{number:08}/0/control"
            gone.add(planned(f"capture-{number:08}", "control"))
            gone.add(intent(f"{leg}#1", leg))
            gone.add({"type": "settle", "call": f"{leg}#1", "microusd": 30})
            gone.add(result(leg))
        return gone

    tracemalloc.start()
    few, many = balance(2_000), balance(20_000)
    held_bytes = [each.size for each in tracemalloc.take_snapshot().statistics("filename")]
    tracemalloc.stop()

    assert few.is_finished
    assert many.is_finished
    assert sum(held_bytes) / 22_000 < 64
