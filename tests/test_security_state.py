"""S8-29: a process killed while it changes the rollout leaves the state before or the state after, and nothing else."""

from pathlib import Path

import pytest

from tests.killed_writers import killed_while_writing


@pytest.mark.parametrize("seed", [1])
def test_a_process_killed_while_it_writes_leaves_a_state_that_is_whole(tmp_path: Path, seed: int) -> None:
    aftermath = killed_while_writing(tmp_path, kills=6, seed=seed)

    assert aftermath.kills == 6
    assert aftermath.versions == sorted(set(aftermath.versions))  # it went on from each, and never back
    assert aftermath.versions[-1] > aftermath.kills
    assert aftermath.problems == []
