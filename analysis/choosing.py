"""Which run a person means by `latest`: the newest replay, never a run that the gateway is writing."""

from pathlib import Path
from typing import Final, NamedTuple

from harness.errors import StoreError, UsageError
from harness.store.journal import JournalFile
from harness.store.runs import Run, find_run, list_runs

__all__ = ["KINDS", "LATEST", "Chosen", "chosen_run", "is_live"]

LATEST: Final = "latest"
KINDS: Final = ("replay", "demo", "shadow", "canary")
_LIVE: Final = frozenset({"shadow", "canary"})  # a new one every few minutes while the gateway serves


class Chosen(NamedTuple):
    """What was found."""

    run: Run
    passed_over: Run | None = None  # newer, and not sealed yet


def chosen_run(home: Path, name: str, *, kind: str | None = None, sealed: bool = True) -> Chosen:
    """The run that `name` means.

    Args:
        home: Where runs are.
        name: A run id, the path of a run, or `latest`.
        kind: Of run that `latest` means; None for any but the live ones.
        sealed: `latest` must hold all of its journal already.

    Raises:
        UsageError: There is no such run; says which command makes one.
    """
    if name != LATEST:
        return Chosen(find_run(home, name))
    passed_over = None
    for run in reversed(list_runs(home)):
        if is_live(run) if kind is None else _kind(run) != kind:
            continue
        if not sealed or _holds_all(run):
            return Chosen(run, passed_over)
        passed_over = passed_over or run
    if passed_over is not None:
        raise UsageError(f"run {passed_over.id} is not sealed yet; `cutover runs seal {passed_over.id}` does it")
    if kind in _LIVE:
        raise UsageError(f"{home / 'runs'}: no {kind} run yet; `cutover serve` makes them")
    raise UsageError(f"{home / 'runs'}: no run yet; `cutover demo` or `cutover replay` makes one")


def is_live(run: Run) -> bool:
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
