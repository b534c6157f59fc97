"""One night: what of it is done, kept in a folder of its own, so that a broken night goes on where it broke off.

<home>/nights/lock                    held while a night runs
<home>/nights/<night>/night.json      what is done
                      captures.jsonl.zst, verdict.md, verdict.html, …
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from harness.errors import StoreError, UsageError

__all__ = ["Night", "locked", "nights"]

_STATE: Final = "night.json"


@dataclass(slots=True)
class Night:
    """What is done of one night."""

    folder: Path
    picked: bool = False
    confirm: str | None = None  # hash of the plan that is replayed
    run: str | None = None  # the run it made
    extracted: bool = False
    rules_sha256: str | None = None  # of the thresholds file that judged it
    judged: list[str] = field(default_factory=list)  # all runs judged together
    status: int | None = None  # exit status of the verdict; None while the night is not over
    told: bool = False  # the webhook has it

    @property
    def name(self) -> str:
        """A date, or what the caller called it."""
        return self.folder.name

    @property
    def captures(self) -> Path:
        """What is replayed."""
        return self.folder / "captures.jsonl.zst"

    @classmethod
    def at(cls, folder: Path) -> "Night":
        """The night that was begun in `folder`, or a new one.

        Raises:
            StoreError: Its record is damaged.
        """
        try:
            state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
            return cls(folder=folder, **state)
        except FileNotFoundError:
            return cls(folder=folder)
        except (OSError, ValueError, TypeError):
            raise StoreError(f"{folder / _STATE}: damaged; delete the folder to begin this night anew") from None

    def save(self) -> None:
        """Write down what is done, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {name: value for name, value in asdict(self).items() if name != "folder"}
        temporary = self.folder / f".{_STATE}.part"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(state, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / _STATE)


def nights(home: Path) -> list[Night]:
    """All nights under `home` that were begun, oldest first."""
    return [Night.at(record.parent) for record in sorted((home / "nights").glob(f"*/{_STATE}"))]


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the only place for a night; the system frees it when the process ends, however it ends.

    Raises:
        UsageError: Another night holds it.
    """
    path = home / "nights" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise UsageError(f"{path}: another night is under way (process {holder}); wait for it to end") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
