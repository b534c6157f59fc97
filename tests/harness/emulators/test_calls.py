import pytest

from harness.emulators.calls import Calls


def test_two_runs_with_one_seed_meet_the_same_chance_in_any_order() -> None:
    first, second = Calls(7), Calls(7)

    forward = {text: first.next(text, None) for text in ("a", "b", "c")}
    backward = {text: second.next(text, None) for text in ("c", "b", "a")}

    assert forward == backward
    assert {text: call.take for text, call in forward.items()} == {text: call.take for text, call in backward.items()}


def test_another_seed_is_another_chance() -> None:
    assert Calls(1).next("a").lot("fault") != Calls(2).next("a").lot("fault")


def test_a_second_turn_sounds_different_but_draws_the_same_lot() -> None:
    calls = Calls(1)
    first, second = calls.next("a", "en"), calls.next("a", "en")

    assert first.take != second.take
    assert first.lot("fault") == second.lot("fault")


def test_lots_for_two_purposes_are_independent() -> None:
    call = Calls(1).next("a")

    assert call.lot("fault") != call.lot("damage")


def test_parts_of_the_content_do_not_run_together() -> None:
    calls = Calls(1)

    assert calls.next("ab", "c").content != calls.next("a", "bc").content


def test_lots_are_spread_evenly() -> None:
    calls = Calls(1)

    lots = [calls.next(str(number)).lot("fault") for number in range(2_000)]

    assert sum(lots) / len(lots) == pytest.approx(0.5, abs=0.02)
    assert min(lots) >= 0.0
    assert max(lots) < 1.0


def test_a_reset_makes_every_content_new_again() -> None:
    calls = Calls(1)
    first = calls.next("a")
    calls.next("a")

    calls.reset()

    assert calls.next("a") == first
