"""What the commands of `cutover rollout` need, looked up once: state, flags, spool, runs, voices, and the gateway."""

import asyncio
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.clock import Clock, SystemClock
from harness.config import Settings
from harness.errors import ConfigError, HarnessError, UsageError
from harness.exchanges import Failure, Lane
from harness.flags.flag_file import check_flags
from harness.flags.flagset import FlagSet
from harness.flags.kill_switch import KillSwitch
from harness.gateway.rehearsals import caller_within, rehearse_at
from harness.gateway.voice_book import VoiceBook, voice_book_path
from harness.providers.catalogue import open_modal, open_qwen
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.evidence import Drill, Evidence
from harness.rollout.gathering import Words, gather
from harness.rollout.load_drill import busiest_minute, judge_load
from harness.rollout.local_stage import local_stage
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.places import drills_file, kill_file, spool_folder, state_folder
from harness.rollout.requirements import missing
from harness.rollout.retirement import STEPS, Dependency, Findings, dependencies
from harness.rollout.rules import load_rules
from harness.rollout.run_evidence import epochs_of
from harness.rollout.spool import stored_outcomes
from harness.rollout.stage import Rollout, Rollouts, Stage
from harness.rollout.state_file import StateFile
from harness.routing.route import Ceiling, share_bp
from harness.speech import Operation
from harness.store.runs import Run, audio_store, list_runs

__all__ = ["Desk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything as it was found when the command began."""

    settings: Settings
    clock: Clock
    rollouts: Rollouts
    switch: KillSwitch
    flags: FlagSet

    @classmethod
    def open(cls) -> "Desk":
        """Look everything up. Raises ConfigError for unusable settings, StoreError for a damaged log."""
        settings, clock = Settings.load(), SystemClock()
        try:
            flags = check_flags(settings.flags.file)
        except ConfigError as error:
            flags = FlagSet.all_legacy(str(error))
        return cls(
            settings=settings,
            clock=clock,
            rollouts=StateFile(state_folder(settings.home), clock=clock).read(),
            switch=KillSwitch(kill_file(settings.home), environ=os.environ),
            flags=flags,
        )

    @property
    def retirement_steps(self) -> tuple[str, ...]:
        """What removes legacy, in order."""
        return STEPS

    @property
    def not_retired(self) -> list[Operation]:
        """Operations that still have legacy behind them."""
        return [each for each in Operation if self.rollout(each).stage is not Stage.RETIRED]

    def rollout(self, operation: Operation) -> Rollout:
        """Where the rollout of `operation` stands.

        Raises:
            UsageError: It has not begun.
        """
        found = self.rollouts.of.get(operation)
        if found is None:
            raise UsageError(f"the rollout of {operation} has not begun; cutover rollout start {operation} --epoch …")
        return found

    def whole_epoch(self, head: str) -> str:
        """The evidence epoch that begins with `head`, as people copy it; `head` itself where no run has one."""
        found = {epoch for run in list_runs(self.settings.home) for epoch in epochs_of(run) if epoch.startswith(head)}
        if len(found) > 1:
            raise UsageError(f"{len(found)} evidence epochs begin with {head}; give more of it")
        return found.pop() if found else head

    def outcomes(self) -> Iterable[LiveOutcome]:
        """What the spool holds."""
        return stored_outcomes(spool_folder(self.settings.home))

    def evidence(self, operation: Operation, words: Words, *, ask_legacy: bool) -> Evidence:
        """What speaks for the next step; `ask_legacy` sends one question to the deployment, which can start a GPU."""
        if ask_legacy and words.legacy_healthy is None:
            words = replace(words, legacy_healthy=asyncio.run(self._legacy_is_healthy()))
        return gather(
            self.settings,
            operation,
            self.rollout(operation),
            outcomes=self.outcomes(),
            rules=load_rules(self.settings.rollout_rules),
            words=words,
            clock=self.clock,
        )

    async def _legacy_is_healthy(self) -> bool | None:
        try:
            modal = open_modal(self.settings, references=audio_store(self.settings.home), clock=self.clock)
        except ConfigError:
            return None
        async with modal:
            return not isinstance(await modal.health(), Failure)

    def row(self, operation: Operation) -> dict[str, Any]:
        """One operation for the status."""
        rollout, flag = self.rollouts.of.get(operation), self.flags.flag(operation)
        ceiling = Ceiling(version=self.rollouts.version, name="", share_bp=rollout.share_bp if rollout else 0)
        lacks: list[str] = []
        if rollout is not None and rollout.stage is not Stage.RETIRED:
            lacks = missing(rollout, self.evidence(operation, Words(), ask_legacy=False), self.clock.now())
        return {
            "operation": operation.value,
            "name": rollout.name if rollout else "not begun",
            "since": rollout.since.isoformat() if rollout else None,
            "epoch": rollout.epoch if rollout else None,
            "reason": self.flags.problem or (rollout.reason if rollout else None),
            "flag": flag.mode.value,
            "share_bp": share_bp(self.switch.reason(), flag, ceiling),
            "missing": lacks,
        }

    def load_drill(self, run: Run, per_minute: int | None) -> Drill:
        """Whether legacy carried the load in this run; by default that of the busiest minute known."""
        return judge_load(run, per_minute=per_minute or busiest_minute(self.outcomes()))

    def drill(self, url: str | None, *, local: bool, voice: str, who: str) -> Drill:
        """Rehearse a rollback, on a gateway that serves or on one of its own.

        Raises:
            UsageError: No caller could fall into the share, so Qwen would answer nobody.
            HarnessError: The gateway does not answer.
        """
        return asyncio.run(self._drill_locally(voice, who) if local else self._drill(url, voice, who))

    async def _drill(self, url: str | None, voice: str, who: str) -> Drill:
        gateway = self.settings.gateway
        rollout = self.rollout(Operation.GENERATE)
        share = min(self.flags.flag(Operation.GENERATE).live_bp, rollout.share_bp)
        name = caller_within(self.settings, salt=self.flags.salt, share_bp=share)
        address = url or f"http://{gateway.host}:{gateway.port}"
        return await rehearse_at(
            self.settings, address, name=name, voice=voice, switch=self.switch, clock=self.clock, who=who
        )

    async def _drill_locally(self, voice: str, who: str) -> Drill:
        with tempfile.TemporaryDirectory(prefix="cutover-drill-") as folder:
            async with local_stage(Path(folder) / "home", os.environ, clock=self.clock) as stage:
                settings = Settings(
                    home=stage.home, allow_hosts=frozenset(stage.environment["CUTOVER_ALLOW_HOSTS"].split(","))
                )
                switch = KillSwitch(kill_file(stage.home), environ={})
                drill = await rehearse_at(
                    settings, stage.url, name="drill", voice=voice, switch=switch, clock=self.clock, who=who
                )
        return replace(drill, detail=f"on stand-ins: {drill.detail}")

    def dependencies(self) -> list[Dependency]:
        """What still depends on legacy."""
        voices = [booked.voice for booked in VoiceBook(voice_book_path(self.settings.home), self.clock).everybodys()]
        forced = self.settings.flags
        environment = {operation: getattr(forced, operation) for operation in Operation}
        findings = Findings(
            rollouts=self.rollouts,
            flags=self.flags,
            forced={operation: value for operation, value in environment.items() if value not in (None, "qwen")},
            voices=len(voices),
            voices_without_qwen=asyncio.run(self._without_qwen(voices)) if voices else (),
            answered_by_legacy=_answered_by_legacy(self.outcomes()),
            load_drill=DrillBook(drills_file(self.settings.home), clock=self.clock).last(DrillKind.LOAD),
        )
        return dependencies(findings, self.clock.now())

    async def _without_qwen(self, voices: list[Any]) -> tuple[str, ...] | None:
        """Voices that Qwen would have to make first; None when it cannot be asked."""
        try:
            async with open_qwen(self.settings, references=audio_store(self.settings.home), clock=self.clock) as qwen:
                return tuple(voice.id for voice in await qwen.missing_voices(voices))
        except HarnessError:
            return None


def _answered_by_legacy(outcomes: Iterable[LiveOutcome]) -> Mapping[Operation, int]:
    counts = dict.fromkeys(Operation, 0)
    for outcome in outcomes:
        counts[outcome.operation] += outcome.lane is Lane.CONTROL and outcome.caller_failed is False
    return counts
