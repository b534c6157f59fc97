"""Watches over all processes: one of them at a time follows the spool, feeds the triggers and carries out their trips.

Every process may have a watcher and poll it; a lock decides which one works, and the next takes over when it ends. What
the triggers know lies in a file between polls, together with how far the spool was read, so nothing counts twice.
"""

import contextlib
import fcntl
import itertools
import json
import logging
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from harness.clock import Clock
from harness.rollout.live import LiveRollout
from harness.rollout.requirements import QUIET_DAYS
from harness.rollout.rules import Rules
from harness.rollout.spool import SpoolReader, expire
from harness.rollout.trip import Trip
from harness.rollout.watch import Watch
from harness.speech import Operation

__all__ = ["Watcher"]

log = logging.getLogger(__name__)

_BATCH: Final = 200  # outcomes at a time: a backlog must not hold up the requests of this process
_SAVE_EVERY_S: Final = 30.0
_KEEP: Final = QUIET_DAYS + timedelta(days=1)  # of the spool: who retires legacy asks for all of the quiet days


class Watcher:
    """Polls when it is told to; does nothing while another process works."""

    def __init__(self, folder: Path, *, rollout: LiveRollout, rules: Rules, clock: Clock) -> None:
        """Follow the spool in `folder`, where the lock and the memory lie as well."""
        self._folder = folder
        self._rollout = rollout
        self._rules = rules
        self._clock = clock
        self._descriptor = -1
        self._watch = Watch(rules)
        self._reader = SpoolReader(folder)
        self._epochs: dict[str, str] = {}  # operation → epoch its triggers are about
        self._saved_s = -float("inf")

    @property
    def is_working(self) -> bool:
        """Whether this process is the one that watches."""
        return self._descriptor >= 0

    async def poll(self) -> list[Trip]:
        """Take the next outcomes, at most a batch, and carry out what fires. Returns what fired."""
        if not self.is_working and not self._take_over():
            return []
        began_s = self._begin_new_epochs()
        fired = []
        with contextlib.closing(self._reader.new()) as outcomes:
            for outcome in itertools.islice(outcomes, _BATCH):
                if outcome.at_s < began_s.get(outcome.operation, 0.0):
                    self._watch.book(outcome)
                    continue
                for trip in self._watch.take(outcome):
                    fired.append(trip)
                    await self._rollout.carry_out(trip)
        if self._clock.monotonic() - self._saved_s >= _SAVE_EVERY_S:
            self._save()
        return fired

    def close(self) -> None:
        """Save and let another process take over."""
        if self.is_working:
            self._save()
            os.close(self._descriptor)
            self._descriptor = -1

    def _take_over(self) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._folder / "watch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        self._load()
        return True

    def _begin_new_epochs(self) -> dict[Operation, float]:
        """When each rollout began: it is not blamed for what happened before."""
        of = self._rollout.rollouts.of
        for operation, rollout in of.items():
            if self._epochs.get(operation.value) != rollout.epoch:
                self._epochs[operation.value] = rollout.epoch
                self._watch.reset(operation)
        return {operation: rollout.started_at.timestamp() for operation, rollout in of.items()}

    def _load(self) -> None:
        self._watch, self._reader, self._epochs = Watch(self._rules), SpoolReader(self._folder), {}
        with contextlib.suppress(FileNotFoundError):
            try:
                memory: dict[str, Any] = json.loads((self._folder / "watch.json").read_bytes())
                self._watch.load(memory["watch"])
                self._reader = SpoolReader(self._folder, memory["offsets"])
                self._epochs = dict(memory["epochs"])
            except (ValueError, KeyError, TypeError, IndexError, AttributeError):
                # The spool holds what the memory was made of.
                log.warning("watch memory unusable, read anew from the spool", extra={"folder": str(self._folder)})
                self._watch, self._reader, self._epochs = Watch(self._rules), SpoolReader(self._folder), {}

    def _save(self) -> None:
        """A disk that is full costs no more than counting some outcomes again after a restart."""
        self._saved_s = self._clock.monotonic()
        memory = {"watch": self._watch.dump(), "offsets": self._reader.offsets, "epochs": self._epochs}
        temporary = self._folder / f".watch.{secrets.token_hex(4)}"
        try:
            temporary.write_bytes(json.dumps(memory).encode())
            temporary.replace(self._folder / "watch.json")
        except OSError as error:
            log.warning("watch memory not saved", extra={"error": error.strerror})
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        expire(self._folder, before=self._clock.now() - _KEEP)
