"""The one place the rollout's state is changed: compare-and-set under a lock, logged before it takes effect.

<folder>/log.jsonl   every change with who, when and why, checksummed and append-only: the truth
         state.json  the state of the last change, for quick reading by every process
         lock        held while a change is made

A crash between log and state leaves the older state in force until the next change, which first catches up.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from harness.clock import Clock
from harness.errors import StoreError, UsageError
from harness.rollout.stage import Rollout, Rollouts
from harness.rollout.state_codec import dump_rollouts, load_rollouts, pack
from harness.speech import Operation
from harness.store.journal import Journal, Record, read_journal

__all__ = ["RolloutChanged", "StateFile", "Step"]

Step = Callable[[Rollout | None], Rollout | None]  # one transition; returns its input where nothing changes

_RETRY_S: Final = 0.01


class RolloutChanged(UsageError):
    """Somebody else changed the rollout since it was looked at."""


class StateFile:
    """The state of all rollouts under one folder."""

    def __init__(self, folder: Path, *, clock: Clock, wait_s: float = 5.0) -> None:
        """Nothing is made until the first change, which waits up to `wait_s` for others to finish theirs."""
        self.folder = folder
        self.path = folder / "state.json"
        self.log = folder / "log.jsonl"
        self._clock = clock
        self._wait_s = wait_s

    def read(self) -> Rollouts:
        """The state by the log.

        Raises:
            StoreError: The log is damaged.
        """
        return self._last(read_journal(self.log).records) if self.log.exists() else Rollouts()

    def history(self) -> list[Record]:
        """Every change, oldest first: version, at, who, why, the states before and after, and facts."""
        return read_journal(self.log).records if self.log.exists() else []

    async def change(
        self,
        step: Step,
        *,
        operations: Iterable[Operation],
        who: str,
        why: str,
        expected: int | None = None,
        facts: Mapping[str, object] = MappingProxyType({}),
    ) -> Rollouts:
        """Apply `step` to each of `operations`, all or none, and return the state then.

        Args:
            step: One of the transitions; whatever it raises leaves everything as it was.
            operations: Whose rollouts to change.
            who: A person, or the name of a trigger.
            why: The reason, for whoever reads the log at night.
            expected: The version that the decision rests on; None takes whatever is there, as a trip does.
            facts: What else belongs in the log, such as the evidence; JSON values.

        Raises:
            RolloutChanged: The version is not `expected`; nothing was changed.
            StoreError: The log or the state cannot be written, or stayed locked.
        """
        async with self._locked():
            with Journal(self.log, clock=self._clock) as journal:
                before = self._last(journal.records)
                if expected is not None and before.version != expected:
                    raise RolloutChanged(
                        f"the rollout changed meanwhile, from version {expected} to {before.version}; "
                        "look again with `cutover rollout status`"
                    )
                after = _stepped(before, step, operations)
                if after is not before:
                    journal.append(self._record(before, after, who=who, why=why, facts=facts))
                    journal.sync()
            self._publish(after)
        return after

    def _record(self, before: Rollouts, after: Rollouts, *, who: str, why: str, facts: Mapping[str, object]) -> Record:
        changed = [each for each in after.of if after.of[each] != before.of.get(each)]
        return {
            "type": "change",
            "version": after.version,
            "at": self._clock.now().isoformat(),
            "who": who,
            "why": why,
            "from": {each.value: before.of[each].name if each in before.of else None for each in changed},
            "to": {each.value: after.of[each].name for each in changed},
            "facts": dict(facts),
            "state": dump_rollouts(after),
        }

    def _last(self, records: list[Record]) -> Rollouts:
        return load_rollouts(records[-1]["state"], name=str(self.log)) if records else Rollouts()

    def _publish(self, rollouts: Rollouts) -> None:
        """Replace the state file as a whole, unless it holds this state already."""
        content = pack(rollouts)
        temporary = self.path.with_name(f".state.{secrets.token_hex(4)}")
        try:
            if self.path.is_file() and self.path.read_bytes() == content:
                return
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(
                f"{self.path}: {error.strerror}; the change is in the log but not in force, mend the disk and repeat it"
            ) from None

    @contextlib.asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Hold the lock. Waiting gives up, so that a stopped process cannot stop all others with it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self.folder}: {error.strerror}; the rollout cannot be changed") from None
        try:
            give_up_s = self._clock.monotonic() + self._wait_s
            while not _try_lock(descriptor):
                if self._clock.monotonic() >= give_up_s:
                    raise StoreError(f"{self.folder / 'lock'}: another process has held it for {self._wait_s:g} s")
                await self._clock.sleep(_RETRY_S)
            yield
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stepped(before: Rollouts, step: Step, operations: Iterable[Operation]) -> Rollouts:
    """`before` itself when no rollout changed."""
    of = dict(before.of)
    for operation in operations:
        rollout = step(of.get(operation))
        if rollout is not None:
            of[operation] = rollout
    return before if of == dict(before.of) else Rollouts(version=before.version + 1, of=MappingProxyType(of))
