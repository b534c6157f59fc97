"""Functions that workers run in tests: some of what a decoder can do to its process."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from harness.errors import ErrorKind


def act(word: str) -> str:
    """Do what `word` says; answer it in capitals."""
    verb, _, rest = word.partition(" ")
    if verb == "segfault" or (verb == "segfault-once" and not _seen(rest)):
        os.kill(os.getpid(), signal.SIGSEGV)
    if verb == "exit":
        os._exit(int(rest))
    if verb == "hang":
        time.sleep(60)
    if verb == "complain":
        os.write(2, b"warning: this file is strange\n")
    return word.upper()


def _seen(mark: str) -> bool:
    """Whether `mark` was there before; it is now."""
    path = Path(mark)
    if path.exists():
        return True
    path.touch()
    return False


def name_process(item: int) -> int:
    """The id of the process that has the item in hand."""
    return os.getpid()


def measure_slowly(job: tuple[str, str, str]) -> dict[str, Any]:
    """A row after 5 ms, whatever the audio."""
    time.sleep(0.005)
    return {"outcome": ErrorKind.BAD_AUDIO.value, "duration_s": None, "more": {"reason": "slow"}}


def compare_slowly(job: tuple[str, str, str, str, str]) -> dict[str, Any]:
    """A likeness after 5 ms, whatever the audio."""
    time.sleep(0.005)
    return {"outcome": "ok", "duration_ratio": int(job[3], 16) / 10, "more": {}}


def compare_or_crash(job: tuple[str, str, str, str, str]) -> dict[str, Any]:
    """Crash over control's audio number 1, lose number 2, compare the others."""
    number = int(job[1], 16)
    if number == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    return {"lost": "audio 2 is missing"} if number == 2 else compare_slowly(job)
