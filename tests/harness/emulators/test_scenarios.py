from collections import Counter

import pytest

from harness.emulators.calls import Calls
from harness.emulators.scenarios import SCENARIOS, Conduct, Damage, Fault, conduct_in
from harness.errors import UsageError

CALLS = [Calls(1).next(str(number)) for number in range(4_000)]


def test_a_misspelt_scenario_lists_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="no scenario 'slwo'; .* healthy, slow, flaky, degraded, costly"):
        conduct_in("slwo", "qwen")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_control_is_healthy_in_all_of_them(scenario: str) -> None:
    assert conduct_in(scenario, "modal") == Conduct()


def test_a_misspelt_scenario_stops_the_healthy_one_too() -> None:
    with pytest.raises(UsageError):
        conduct_in("slwo", "modal")


def test_nothing_is_wrong_in_the_healthy_one() -> None:
    healthy = conduct_in("healthy", "qwen")

    assert not any(healthy.fault(call) or healthy.damage(call) or healthy.stalls(call) for call in CALLS)
    assert healthy.bill_factor == 1


def test_a_flaky_candidate_fails_its_share_of_calls_and_in_every_way() -> None:
    faults = Counter(conduct_in("flaky", "qwen").fault(call) for call in CALLS)

    assert 0.10 <= SCENARIOS["flaky"].faulty_share <= 0.15
    assert 1 - faults[None] / len(CALLS) == pytest.approx(SCENARIOS["flaky"].faulty_share, abs=0.015)
    assert set(faults) == {None, *Fault}
    assert faults[Fault.HANG] == min(faults.values())


def test_a_retry_of_a_flaky_call_fails_in_the_same_way() -> None:
    flaky, calls = conduct_in("flaky", "qwen"), Calls(1)
    turns = [[flaky.fault(calls.next(str(number))) for number in range(300)] for _ in range(3)]

    assert turns[0] == turns[1] == turns[2]
    assert any(turns[0])


def test_a_degraded_candidate_spoils_one_audio_in_five_and_in_every_way() -> None:
    damages = Counter(conduct_in("degraded", "qwen").damage(call) for call in CALLS)

    assert 0.18 < 1 - damages[None] / len(CALLS) < 0.22
    assert set(damages) == {None, *Damage}


def test_a_slow_candidate_stalls_on_a_quarter_of_its_calls() -> None:
    stalled = sum(conduct_in("slow", "qwen").stalls(call) for call in CALLS)

    assert 0.23 < stalled / len(CALLS) < 0.27


def test_a_costly_candidate_bills_three_times() -> None:
    assert conduct_in("costly", "qwen").bill_factor == 3
