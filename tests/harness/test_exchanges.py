from harness.errors import ErrorKind
from harness.exchanges import Lane
from tests.builders import a_leg, an_exchange


def test_an_exchange_with_audio_is_ok() -> None:
    assert an_exchange().outcome == "ok"


def test_a_failed_exchange_is_named_by_its_kind() -> None:
    assert an_exchange(failed=ErrorKind.TIMEOUT_READ).outcome == "timeout_read"


def test_a_leg_is_named_by_capture_repetition_and_lane_and_not_by_its_place() -> None:
    first = a_leg("c7", lane=Lane.REPEAT, repetition=2, position=0)
    last = a_leg("c7", lane=Lane.REPEAT, repetition=2, position=2)

    assert first.key == last.key == "c7/2/repeat"
