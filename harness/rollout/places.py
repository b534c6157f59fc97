"""Where the live path keeps what all its processes share; the one place that knows the names.

<home>/KILL                    the kill switch: whatever lies there cuts Qwen off
      /rollout/                state.json and log.jsonl of the rollout
              /drills.jsonl    rehearsals
              /spool/          outcomes of live requests, for the triggers
"""

from pathlib import Path

__all__ = ["drills_file", "kill_file", "spool_folder", "state_folder"]


def kill_file(home: Path) -> Path:
    """The kill switch; replays heed it as well."""
    return home / "KILL"


def state_folder(home: Path) -> Path:
    """The rollout's state and log."""
    return home / "rollout"


def drills_file(home: Path) -> Path:
    """The book of drills."""
    return state_folder(home) / "drills.jsonl"


def spool_folder(home: Path) -> Path:
    """Outcomes of live requests."""
    return state_folder(home) / "spool"
