"""Which run is `latest`, to every command and page alike: the newest replay, not what a gateway is writing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import StoreError, UsageError
from harness.store.journal import JournalFile
from harness.store.runs import Run, find_run, list_runs

__all__ = ["KINDS", "LATEST", "Chosen", "chosen_run", "newest"]

LATEST: Final = "latest"
KINDS: Final = ("replay", "demo", "shadow", "canary")
_LIVE: Final = frozenset({"shadow", "canary"})  # a new one every few minutes while the gateway serves


class Chosen(NamedTuple):
    """What was found."""

    run: Run
    passed_over: Run | None = None  # newer, and not sealed yet
    live: Run | None = None  # newer, and the gateway's; or the chosen one itself where nothing else is there

    @property
    def notes(self) -> list[str]:
        """What a person should know of a choice that could have been another."""
        said = []
        if self.passed_over is not None:
            newer = self.passed_over.id
            said.append(f"run {newer} is newer and not sealed; `cutover runs seal {newer}` does it")
        if self.live == self.run:
            said.append(f"latest is {self.run.id}, a live run: there is no replay yet")
        elif self.live is not None:
            said.append(f"latest is {self.run.id}; {self.live.id} is newer and live: give its id to choose it")
        return said


def chosen_run(home: Path, name: str, *, kind: str | None = None, sealed: bool = True) -> Chosen:
    """The run that `name` means.

    Args:
        home: Where runs are.
        name: A run id, the path of a run, or `latest`.
        kind: Of run that `latest` means; None for any, and then a live one only where there is nothing else.
        sealed: `latest` must hold all of its journal already.

    Raises:
        UsageError: There is no such run; says which command makes one.
    """
    if name != LATEST:
        return Chosen(find_run(home, name))
    found = list(reversed(list_runs(home)))
    if kind is not None:
        return _first_of([run for run in found if _kind(run) == kind], home, sealed=sealed, kind=kind)
    replays = [run for run in found if not _is_live(run)]
    if replays:
        chosen = _first_of(replays, home, sealed=sealed)
        newer = found[: found.index(chosen.run)]
        return chosen._replace(live=next((run for run in newer if _is_live(run)), None))
    chosen = _first_of(found, home, sealed=sealed)
    return chosen._replace(live=chosen.run)


def newest(runs: Iterable[Run]) -> Run | None:
    """Of these the first that is no live run, or else the first; the same choice, for who has runs in hand.

    Args:
        runs: Newest first.
    """
    runs = list(runs)
    return next((run for run in runs if not _is_live(run)), runs[0] if runs else None)


def _first_of(runs: list[Run], home: Path, *, sealed: bool, kind: str | None = None) -> Chosen:
    passed_over = None
    for run in runs:
        if not sealed or _holds_all(run):
            return Chosen(run, passed_over)
        passed_over = passed_over or run
    if passed_over is not None:
        raise UsageError(f"run {passed_over.id} is not sealed yet; `cutover runs seal {passed_over.id}` does it")
    if kind in _LIVE:
        raise UsageError(f"{home / 'runs'}: no {kind} run yet; `cutover serve` makes them")
    raise UsageError(f"{home / 'runs'}: no run yet; `cutover demo` or `cutover replay` makes one")


def _is_live(run: Run) -> bool:
    """The gateway made it; False where it does not say, since to pass over a damaged run would hide the damage."""
    return _kind(run) in _LIVE


def _kind(run: Run) -> str | None:
    try:
        plan = next(iter(JournalFile(run.journal)), {})
    except StoreError:
        return None
    return plan.get("kind")


def _holds_all(run: Run) -> bool:
    """The database is not older than what was sent and received; what is measured or judged since changes no leg."""
    return run.database.is_file() and run.database.stat().st_mtime_ns >= run.journal.stat().st_mtime_ns
