from pathlib import Path

from tests.kills import kill_again_and_again
from tests.standins import running_standins


def test_thirty_kills_lose_nothing_double_nothing_and_refuse_nothing(tmp_path: Path) -> None:
    with running_standins(tmp_path, "--time-scale", "0.01") as environment:
        aftermath = kill_again_and_again(environment, kills=30, seed=1, captures=30, longest_s=2.0)

    assert sum(aftermath.kills.values()) == 30
    assert set(aftermath.kills) == {"replay", "extract", "verdict"}
    assert aftermath.is_clean, aftermath
