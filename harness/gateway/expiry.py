"""Runs of live exchanges hold what callers said, as they said it: they are deleted when they are old.

Whatever stage a rollout is in: a promise to callers counts more than evidence, which can be gathered anew.
"""

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import StoreError
from harness.store.journal import JournalFile
from harness.store.runs import Run, audio_store, list_runs

__all__ = ["Expired", "expire_live_runs", "old_live_runs"]

log = logging.getLogger(__name__)

_LIVE: Final = frozenset({"shadow", "canary"})


class Expired(NamedTuple):
    """What is gone."""

    runs: list[str]
    audios: int


def old_live_runs(home: Path, *, keep_days: int, now: datetime) -> list[Run]:
    """Shadow and canary runs that began more than `keep_days` ago and are over, oldest first."""
    oldest = now - timedelta(days=keep_days)
    return [run for run in list_runs(home) if _is_older(run, oldest) and not _is_written(run)]


def expire_live_runs(home: Path, *, keep_days: int, now: datetime) -> Expired:
    """Delete these, and audio that no other run names.

    Runs that a process still writes stay, and so do such whose plan cannot be read: a person must look at those.
    Reads whole journals once something is to go: not for the event loop.
    """
    gone = old_live_runs(home, keep_days=keep_days, now=now)
    audios = _audios_of_none_but(gone, list_runs(home))
    # Audio first: a run whose audio is gone can be deleted again, audio without any run would be lost sight of.
    for sha256 in audios:
        found = audio_store(home).find(sha256)
        if found is not None:
            with contextlib.suppress(OSError):
                found.unlink()
    for run in gone:
        shutil.rmtree(run.path, ignore_errors=True)
    if gone:
        log.info("old live runs deleted", extra={"runs": len(gone), "audios": len(audios)})
    return Expired([run.id for run in gone], len(audios))


def _is_older(run: Run, oldest: datetime) -> bool:
    try:
        plan = next(iter(JournalFile(run.journal)), {})
        return plan.get("kind") in _LIVE and datetime.fromisoformat(plan["started_at"]) < oldest
    except (StoreError, KeyError, ValueError):
        return False


def _is_written(run: Run) -> bool:
    """Whether a process holds the journal, as every writer does."""
    try:
        descriptor = os.open(run.journal, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True  # somebody else has just deleted it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _audios_of_none_but(gone: list[Run], runs: list[Run]) -> set[str]:
    """Audio that these runs name and no other does; none where that cannot be told, since a journal is damaged."""
    audios: set[str] = set()
    for run in gone:
        with contextlib.suppress(StoreError):
            audios.update(_audios(run))
    try:
        for run in runs if audios else ():
            if run not in gone:
                audios.difference_update(_audios(run))
    except StoreError as error:
        log.error("audio of old live runs not deleted", extra={"error": str(error)})
        return set()
    return audios


def _audios(run: Run) -> Iterator[str]:
    for record in JournalFile(run.journal):
        if record["type"] == "result" and record["row"].get("audio_sha256"):
            yield record["row"]["audio_sha256"]
