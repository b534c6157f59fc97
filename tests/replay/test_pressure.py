from datetime import timedelta

import pytest

from harness.config import QuotaSettings
from replay.pacing import AsRecorded, AtOnce, Burst, Constant
from replay.pressure import pressure_at
from tests.builders import NOON

QUOTA = QuotaSettings(per_minute=180.0, per_second=3.0, share=1.0)


@pytest.mark.parametrize(
    ("seconds", "speed", "per_minute", "per_second"),
    [
        pytest.param([], 1.0, 0, 0, id="nothing"),
        pytest.param([0, 60], 1.0, 1, 1, id="a minute apart is another minute"),
        pytest.param([0, 59.9], 1.0, 2, 1, id="just within one"),
        pytest.param([0, 60, 119], 2.0, 3, 1, id="twice as fast"),
        pytest.param([0, 0.5, 1.2, 1.4, 90], 1.0, 4, 3, id="the window slides"),
    ],
)
def test_pressure_is_the_fullest_minute_and_second(
    seconds: list[float], speed: float, per_minute: int, per_second: int
) -> None:
    recorded_s = [(NOON + timedelta(seconds=second)).timestamp() for second in seconds]

    pressure = pressure_at(AsRecorded(speed), recorded_s, QUOTA)

    assert (pressure.peak_per_minute, pressure.peak_per_second) == (per_minute, per_second)


def test_what_is_ours_of_the_quota_bounds_the_pressure() -> None:
    quota = QuotaSettings(per_minute=20, per_second=5, share=0.2)

    assert not pressure_at(Constant(0.1), range(4), quota).is_too_high
    assert pressure_at(Constant(0.1), range(5), quota).is_too_high


def test_calls_within_the_quota_do_not_wait() -> None:
    pressure = pressure_at(Constant(2.0), range(100), QUOTA)

    assert (pressure.longest_wait_s, pressure.ends_after_s) == (0.0, 49.5)


def test_calls_beyond_the_quota_wait_until_a_window_has_room() -> None:
    # Nine at once, three a second: three go at 0 s, three at 1 s, three at 2 s.
    pressure = pressure_at(Burst(9, 60.0), range(9), QUOTA)

    assert (pressure.longest_wait_s, pressure.ends_after_s) == (2.0, 2.0)


def test_a_share_below_one_call_a_second_is_one_call_in_a_longer_while() -> None:
    quota = QuotaSettings(per_minute=180.0, per_second=3.0, share=0.2)  # 0.6 a second

    assert pressure_at(AtOnce(), range(4), quota).ends_after_s == pytest.approx(5.0)


def test_the_minute_bounds_what_the_second_would_allow() -> None:
    quota = QuotaSettings(per_minute=60.0, per_second=30.0, share=1.0)

    assert pressure_at(AtOnce(), range(90), quota).ends_after_s == pytest.approx(60.0)
