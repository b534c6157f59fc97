"""The long forms of what the suite does briefly, for `cutover gate run --profile release`: minutes, not seconds.

No part of `make test`: pytest collects this file only when it is named.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.capture_fuzz import fuzz
from tests.fuzzed import Trial
from tests.killed_writers import killed_while_writing
from tests.standins import cutover, running_standins
from tests.test_overspend import a_replay, billed_microusd, break_every_second_call, captures

__all__ = ["captures"]  # the fixture


@pytest.fixture
def under_fire(tmp_path: Path) -> Iterator[dict[str, str]]:
    with running_standins(tmp_path, "--time-scale", "0.004") as found:
        yield found | {
            "CUTOVER_REPLAY__CONCURRENCY": "256",
            "CUTOVER_QWEN__MAX_ATTEMPTS": "2",
            "CUTOVER_MODAL__DEADLINE_S": "30",
        }


def test_a_hundred_thousand_damaged_documents_crash_no_importer(tmp_path: Path) -> None:
    assert fuzz(Trial(tmp_path), 100_000, 1) == 0


def test_twenty_runs_under_fire_stay_below_their_cap(
    under_fire: dict[str, str],
    captures: Path,
) -> None:
    billed = 0
    for seed in range(1, 21):
        break_every_second_call(under_fire)

        result = cutover(a_replay(captures, under_fire, seed=seed, budget="100"), under_fire)

        assert result.returncode == 0, result.stderr
        spent, before, billed = (
            json.loads(result.stdout)["spent_usd"]["qwen"] * 1e6,
            billed,
            billed_microusd(under_fire),
        )
        assert 0 < billed - before <= spent <= 0.05e6


def test_fifty_kills_while_writing_leave_a_state_that_is_whole(tmp_path: Path) -> None:
    aftermath = killed_while_writing(tmp_path, kills=50, seed=2)

    assert aftermath.kills == 50
    assert aftermath.versions == sorted(set(aftermath.versions))
    assert aftermath.problems == []
