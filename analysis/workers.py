"""A pool of processes that runs one function over many items and survives what the function does to them.

A decoder fed with strangers' bytes may crash its process or never return. Unlike `concurrent.futures`, where one dead
process ends the pool and nobody knows whose fault it was, every worker here is handed its items by name: when it dies
or stalls, the item under its hands is tried once more in a fresh process and then given up, all others go on.
"""

import importlib
import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NamedTuple

from harness.clock import Clock, SystemClock
from harness.errors import HarnessError

__all__ = ["Answer", "WorkerPool", "cores"]

_AHEAD: Final = 4  # items a worker is handed at most before it asks, so that it never waits for us
_TRIES: Final = 2  # a worker can also be killed for what its neighbour did to the machine's memory
_START_S: Final = 300.0  # the first start on a machine compiles librosa's functions: 7 to 30 s of CPU
_READY: Final = "ready"


class Answer(NamedTuple):
    """What became of one item."""

    item: Any
    value: Any  # what the function returned; None when given up
    given_up: str | None  # why: "crashed (signal 11)", "took longer than 60 s"


def cores() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class WorkerPool:
    """Processes that all run the same function."""

    def __init__(self, function: str, *, processes: int, deadline_s: float, clock: Clock | None = None) -> None:
        """Prepare a pool; processes start when there is work.

        Args:
            function: `module:name`. It is imported in the workers only, once for all of them where the system can
                fork, and takes one argument that pickles.
            processes: How many at most.
            deadline_s: How long one item may take.
            clock: Measures it.
        """
        self._function = function
        self._processes = processes
        self._deadline_s = deadline_s
        self._clock = clock or SystemClock()
        can_fork = "forkserver" in multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if can_fork else "spawn")
        if can_fork:
            self._context.set_forkserver_preload([function.partition(":")[0]])

    def run(self, items: Iterable[Hashable]) -> Iterator[Answer]:
        """One answer for every item, in the order they are done; items must differ.

        Raises:
            HarnessError: A worker does not even start.
        """
        waiting = deque(items)
        tries: Counter[Hashable] = Counter()
        workers: list[_Worker] = []
        try:
            while waiting or any(worker.in_hand for worker in workers):
                while waiting and len(workers) < min(self._processes, len(waiting) + len(workers)):
                    workers.append(_Worker(self._context, self._function, self._clock))
                for worker in workers:
                    # Near the end less is handed ahead: a worker with four items would keep the others waiting.
                    worker.take(waiting, most=max(1, min(_AHEAD, len(waiting) // len(workers))))
                self._wait(workers)
                for worker in list(workers):
                    yield from worker.answers()
                    failure = worker.failure(self._deadline_s)
                    if failure is None:
                        continue
                    workers.remove(worker)
                    for culprit in worker.end(waiting):
                        tries[culprit] += 1
                        if tries[culprit] < _TRIES:
                            waiting.append(culprit)
                        else:
                            yield Answer(culprit, None, failure)
        finally:
            for worker in workers:
                worker.end(waiting)

    def _wait(self, workers: list["_Worker"]) -> None:
        """Until a worker has something to say, died or ran out of time."""
        patience_s = min(worker.patience_s(self._deadline_s) for worker in workers if worker.in_hand)
        wait([worker.connection for worker in workers], timeout=patience_s)


class _Worker:
    """One process, and the items under its hands in the order it works on them."""

    def __init__(self, context: Any, function: str, clock: Clock) -> None:
        self._clock = clock
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        self._process.start()
        theirs.close()
        self.in_hand: deque[Hashable] = deque()
        self._is_ready = False
        self._is_dead = False
        self._heard_s = clock.monotonic()

    def take(self, waiting: deque[Hashable], *, most: int) -> None:
        """Hand it some of what is waiting, so that it has up to `most` items."""
        if not self.in_hand and self._is_ready:
            self._heard_s = self._clock.monotonic()  # it was idle: its time begins now
        while waiting and len(self.in_hand) < most:
            item = waiting.popleft()
            self.in_hand.append(item)
            try:
                self.connection.send(item)
            except OSError:
                self._is_dead = True
                return

    def patience_s(self, deadline_s: float) -> float:
        """How much longer it may stay silent."""
        limit_s = deadline_s if self._is_ready else _START_S
        return max(0.0, self._heard_s + limit_s - self._clock.monotonic())

    def answers(self) -> Iterator[Answer]:
        """Everything it has said since."""
        try:
            while self.connection.poll():
                said = self.connection.recv()
                self._heard_s = self._clock.monotonic()
                if self._is_ready:
                    yield Answer(self.in_hand.popleft(), said, None)
                self._is_ready = True
        except (EOFError, OSError):
            self._is_dead = True

    def failure(self, deadline_s: float) -> str | None:
        """Why it must be ended; None while it is well.

        Raises:
            HarnessError: It never got as far as its first item.
        """
        overdue = bool(self.in_hand) and self.patience_s(deadline_s) <= 0
        if not self._is_dead and not overdue:
            return None
        if not self._is_ready:
            raise HarnessError("a worker process does not start; its own words, if any, stand above")
        if overdue and not self._is_dead:
            return f"took longer than {deadline_s:g} s"
        self._process.join(1.0)
        code = self._process.exitcode
        return f"crashed (signal {-code})" if code is not None and code < 0 else f"crashed (exit status {code})"

    def end(self, waiting: deque[Hashable]) -> list[Hashable]:
        """Stop the process, give back what it had not begun, and return the item it was at: one, or none."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        culprit = [self.in_hand.popleft()] if self.in_hand else []
        waiting.extendleft(reversed(self.in_hand))
        self.in_hand.clear()
        return culprit


def _serve(connection: Connection, function: str) -> None:
    """The life of a worker: items in, answers out, until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    _hush()
    try:
        connection.send(_READY)
        while True:
            connection.send(call(connection.recv()))
    except (EOFError, BrokenPipeError):
        return


def _hush() -> None:
    """Send stderr nowhere: libmpg123 prints its doubts about a file there and would tear the progress bar."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
