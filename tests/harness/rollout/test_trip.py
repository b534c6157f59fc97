from harness.rollout.trip import Trip, TripAction
from harness.speech import Operation


def test_a_trip_waits_for_a_sick_legacy_unless_it_says_otherwise() -> None:
    trip = Trip(trigger="errors", action=TripAction.ROLL_BACK, operation=Operation.CLONE, reason="r", at_s=0.0)

    assert not trip.forced
