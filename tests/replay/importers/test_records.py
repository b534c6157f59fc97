import pytest

from replay.importers.records import LeftOut, Place, Skipped, Unusable


def test_a_place_reads_like_a_sentence() -> None:
    assert str(Place("traffic_0.gor", 41)) == "traffic_0.gor record 41"


@pytest.mark.parametrize("kind", [Skipped, Unusable])
def test_a_record_that_is_left_out_carries_its_reason_as_value_and_as_message(kind: type[LeftOut]) -> None:
    reason = kind("the body is cut short")

    assert isinstance(reason, LeftOut)
    assert (reason.reason, str(reason)) == ("the body is cut short", "the body is cut short")
