import pytest

from analysis.units import amount, count, rough, span


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        pytest.param(1.234, "pp", "+1.23 pp", id="points with a sign"),
        pytest.param(-0.001, "pp", "+0.00 pp", id="no minus before a zero"),
        pytest.param(-2.5, "pp", "-2.50 pp", id="minus"),
        pytest.param(None, "pp", "–", id="no value"),
    ],
)
def test_a_difference_shows_its_sign(value: float | None, unit: str, text: str) -> None:
    assert amount(value, unit, signed=True) == text


def test_each_unit_reads_as_people_write_it() -> None:
    shown = [amount(1.5, unit) for unit in ("pct", "ratio", "s", "usd_per_1k_chars", "usd_per_request", "voices")]

    assert shown == ["1.50 %", "1.50x", "1.50 s", "$1.5000/1k chars", "$1.5000/request", "2"]


def test_a_range_says_its_unit_once_and_which_end_is_open() -> None:
    assert span(0.41, 0.59, "ratio") == "0.41 to 0.59x"
    assert span(-1.5, 1.5, "pp", signed=True) == "-1.50 to +1.50 pp"
    assert span(0.41, None, "ratio") == "0.41x or more"
    assert span(None, 0.59, "ratio") == "up to 0.59x"
    assert span(None, None, "ratio") == "–"


def test_one_is_not_many() -> None:
    assert [count(0, "pair"), count(1, "pair"), count(1204, "pair")] == ["0 pairs", "1 pair", "1,204 pairs"]


@pytest.mark.parametrize(
    ("number", "rounded"), [(0.4, 1), (7, 7), (10, 10), (101, 110), (2317, 2400), (99_001, 100_000)]
)
def test_a_forecast_is_rounded_up_to_two_digits(number: float, rounded: int) -> None:
    assert rough(number) == rounded
