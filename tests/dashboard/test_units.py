import math

import pytest

from dashboard.units import count, duration, money, percent, signed


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        pytest.param(0.0421, "42 ms", id="below a second in milliseconds"),
        pytest.param(1.0, "1.00 s", id="from a second on in seconds"),
        pytest.param(1234.5, "1,234 s", id="long without decimals"),
        pytest.param(math.inf, "timed out", id="infinite is a timeout"),
        pytest.param(None, "–", id="nothing measured"),
        pytest.param(math.nan, "–", id="no number"),
    ],
)
def test_a_duration_reads_as_people_say_it(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        pytest.param(0.0, "0.0 %", id="none"),
        pytest.param(0.0067, "0.67 %", id="small shares are finer"),
        pytest.param(0.125, "12.5 %", id="others have one decimal"),
        pytest.param(None, "–", id="unknown"),
    ],
)
def test_a_share_reads_in_percent(share: float | None, words: str) -> None:
    assert percent(share) == words


def test_unknown_money_is_a_dash_and_never_zero() -> None:
    assert [money(None), money(0.0), money(0.0115), money(1234.5)] == ["–", "$0.0000", "$0.0115", "$1,234.50"]


def test_counts_have_separators() -> None:
    assert [count(None), count(0), count(2802)] == ["–", "0", "2,802"]


def test_a_negative_number_has_a_true_minus_sign() -> None:
    assert [signed(-1.25, "+.1f"), signed(2, "+.1f"), signed(None, "+.1f")] == ["−1.2", "+2.0", "–"]
