import json
from typing import Any

import pytest

from replay.metered import metered


def row(**metadata: Any) -> dict[str, Any]:
    return metadata


def spoken(reported: int | None, counted: int) -> dict[str, Any]:
    return row(reported_chars=reported, counted_chars=counted)


def on_gpu(marginal_usd: float | None, fully_loaded_usd: float | None) -> dict[str, Any]:
    return row(
        gpu_cost={"busy_s": 2.5, "cold_s": 0.0, "marginal_usd": marginal_usd, "fully_loaded_usd": fully_loaded_usd}
    )


def test_a_bill_by_our_own_count_is_no_alarm() -> None:
    found = metered([spoken(195, 195), spoken(None, 13), row()])

    assert not found.is_alarming
    assert found.lines() == ["Characters: 195 reported in 1 exchanges, as counted by us."]


@pytest.mark.parametrize("reported", [0, 194, 196])
def test_another_count_is_an_alarm_in_either_direction(reported: int) -> None:
    found = metered([spoken(195, 195), spoken(reported, 195)])

    assert found.is_alarming
    assert found.lines()[0].startswith("ALARM: 1 of 2 exchanges were billed by another count")
    assert f"{195 + reported} reported, 390 counted" in found.lines()[0]


def test_differences_that_cancel_out_are_an_alarm_all_the_same() -> None:
    assert metered([spoken(10, 12), spoken(12, 10)]).is_alarming


def test_gpu_seconds_have_both_costs_and_one_that_is_unknown_makes_the_sum_unknown() -> None:
    known = metered([on_gpu(0.5, 1.5), on_gpu(0.25, 0.5)])
    untold = metered([on_gpu(0.5, 1.5), on_gpu(0.25, None)])

    assert (known.gpu_calls, known.gpu_busy_s) == (2, 5.0)
    assert (known.gpu_marginal_usd, known.gpu_fully_loaded_usd) == (0.75, 2.0)
    assert (untold.gpu_marginal_usd, untold.gpu_fully_loaded_usd) == (0.75, None)
    assert untold.lines() == [
        "GPU: 5.0 s busy in 2 calls, marginal $0.7500, fully loaded with cold starts and idle time unknown."
    ]


def test_what_is_billed_by_tokens_has_no_count_of_characters() -> None:
    assert metered([row(reported_chars=0, counted_chars=13, tokens={"output_tokens": 135})]).told == 0


def test_degraded_voices_are_counted() -> None:
    assert metered([row(fallback_mode=True), row(fallback_mode=False)]).lines() == [
        "1 voices were made in degraded mode; look at their recordings."
    ]


def test_a_run_without_exchanges_says_nothing() -> None:
    assert metered([]).lines() == []
    assert json.loads(json.dumps(metered([]).as_json()))["is_alarming"] is False
