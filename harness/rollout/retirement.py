"""What still depends on the legacy path, and the steps that remove it; nothing is changed here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from harness.flags.flagset import FlagSet, Mode
from harness.rollout.evidence import Drill
from harness.rollout.requirements import LOAD_DRILL_AGE, QUIET_DAYS
from harness.rollout.stage import Rollout, Rollouts, Stage, Standing
from harness.speech import Operation

__all__ = ["STEPS", "Dependency", "Findings", "dependencies"]

_READY: Final = (Stage.FULL, Stage.RETIRED)

# In this order: each step is safe while the ones after it are still to be done.
STEPS: Final = (
    "cutover rollout retire --approved-by NAME      every operation goes to RETIRED; from here Qwen answers alone",
    "cutover rollout status                         read back that all three say retired",
    "unset every CUTOVER_MODAL__… setting (addresses, key, secret); restart the gateway",
    "cutover doctor                                 modal is reported as not set, and nothing else is missing",
    "modal app list; modal app stop APP             the deployment stops and its GPUs are not billed any more",
    "modal volume list; modal volume delete VOLUME  recordings and models there, once docs/runbooks says they may go",
    "revoke the proxy-auth token of the workspace in Modal's settings",
    "delete harness/providers/modal.py and the modules that only it imports; the gateway runs without them",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One thing that would break, or be less safe, without legacy."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the check looks at; None where nobody could look."""

    rollouts: Rollouts
    flags: FlagSet
    forced: Mapping[Operation, str]  # flags that the environment sets
    voices: int  # in the gateway's book
    voices_without_qwen: tuple[str, ...] | None
    answered_by_legacy: Mapping[Operation, int]  # callers, as far back as the spool goes
    load_drill: Drill | None


def dependencies(findings: Findings, now: datetime) -> list[Dependency]:
    """All that is left; empty when legacy can go."""
    return [
        *_stages(findings.rollouts, now),
        *_flags(findings),
        *_voices(findings),
        *_callers(findings),
        *_drills(findings.load_drill, now),
    ]


def _stages(rollouts: Rollouts, now: datetime) -> Iterable[Dependency]:
    for operation in Operation:
        rollout = rollouts.of.get(operation)
        if rollout is None:
            yield Dependency(what=f"{operation}: no rollout was begun", remedy=_onward(operation, rollout))
            continue
        if rollout.stage not in _READY or rollout.standing is not Standing.RUNNING:
            yield Dependency(what=f"{operation}: the rollout is at {rollout.name}", remedy=_onward(operation, rollout))
        quiet = now - max(rollout.tripped_at or rollout.since, rollout.since)
        if rollout.stage is not Stage.RETIRED and quiet < QUIET_DAYS:
            what = f"{operation}: {quiet / timedelta(days=1):.1f} of {QUIET_DAYS.days} days without a trip"
            yield Dependency(what=what, remedy="wait; a trip starts the count anew")


def _onward(operation: Operation, rollout: Rollout | None) -> str:
    if rollout is None or rollout.standing is Standing.ROLLED_BACK:
        return f"cutover rollout start {operation} --epoch …"
    return f"cutover rollout promote {operation} --approved-by NAME"


def _flags(findings: Findings) -> Iterable[Dependency]:
    if findings.flags.problem:
        yield Dependency(what=f"the flags cannot be read: {findings.flags.problem}", remedy="mend the flag file")
        return
    for operation in Operation:
        forced = findings.forced.get(operation)
        if forced is not None:
            variable = f"CUTOVER_FLAGS__{operation.upper()}"
            yield Dependency(
                what=f"{operation}: {variable}={forced} stands above the flags", remedy=f"unset {variable}"
            )
        flag = findings.flags.flag(operation)
        if flag.mode is not Mode.QWEN:
            yield Dependency(
                what=f"{operation}: the flag says {flag.mode}", remedy='set mode = "qwen" in the flag file'
            )
        if flag.shadow_bp:
            what = f"{operation}: {flag.shadow_bp / 100:g} % of requests are copied to legacy"
            yield Dependency(what=what, remedy="set shadow_bp = 0 in the flag file")


def _voices(findings: Findings) -> Iterable[Dependency]:
    missing = findings.voices_without_qwen
    if missing is None:
        what = f"{findings.voices} voices: whether Qwen has them could not be asked"
        yield Dependency(what=what, remedy="cutover doctor says what is missing")
    else:
        for voice_id in missing:
            what = f"voice {voice_id}: Qwen has none made of it"
            yield Dependency(what=what, remedy="migrate it (docs/runbooks), or delete it")


def _callers(findings: Findings) -> Iterable[Dependency]:
    for operation, callers in findings.answered_by_legacy.items():
        if callers:
            what = f"{operation}: legacy answered {callers} callers within what the spool remembers"
            yield Dependency(what=what, remedy="cutover rollout status says why; at 100 % these are fallbacks")


def _drills(drill: Drill | None, now: datetime) -> Iterable[Dependency]:
    if drill is None or not drill.passed or now - drill.at > LOAD_DRILL_AGE:
        what = "no load drill on legacy within a month: nobody knows whether there is a way back until the last day"
        yield Dependency(
            what=what, remedy="replay the busiest minutes on legacy, then cutover rollout drill --load RUN"
        )
