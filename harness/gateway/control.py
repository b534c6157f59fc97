"""What decides about requests in one process, opened together: switch, flags, rollout, breakers, triggers."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from harness.clock import Clock
from harness.config import Settings
from harness.flags.flagset import FlagSource
from harness.flags.kill_switch import KILL_VARIABLE, KillSwitch
from harness.gateway.flags_in_force import flags_in_force, flags_of_environment
from harness.rollout.live import LiveRollout
from harness.rollout.places import kill_file, spool_folder, state_folder
from harness.rollout.rules import Rules, load_rules
from harness.rollout.spool import Spool
from harness.rollout.state_file import StateFile
from harness.rollout.watcher import Watcher
from harness.routing.breakers import Breakers
from harness.routing.router import Router

__all__ = ["Control", "kill_switch_of", "opened_control"]

log = logging.getLogger(__name__)

_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Of one process; all of them share the files behind it."""

    kill_switch: KillSwitch
    flags: FlagSource
    state: StateFile
    rollout: LiveRollout
    breakers: Breakers
    router: Router
    spool: Spool
    rules: Rules


def kill_switch_of(settings: Settings) -> KillSwitch:
    """The switch; cutover.toml can kill as well, and like the variable only until a restart without it."""
    environ = {KILL_VARIABLE: "1"} if settings.kill else os.environ
    return KillSwitch(kill_file(settings.home), environ=environ)


@contextlib.asynccontextmanager
async def opened_control(settings: Settings, *, clock: Clock) -> AsyncIterator[Control]:
    """Everything, with its watcher polled until the end of the block.

    Raises:
        ConfigError: Flags, rules or the environment cannot be used; says which.
    """
    rules = load_rules(settings.rollout_rules)
    kill_switch = kill_switch_of(settings)
    state = StateFile(state_folder(settings.home), clock=clock)
    rollout = LiveRollout(state, kill_switch=kill_switch, clock=clock)
    breakers = Breakers(clock=clock, rules=rules.breaker)
    spool_path = spool_folder(settings.home)
    watcher = Watcher(spool_path, rollout=rollout, rules=rules, clock=clock)
    environment = flags_of_environment(settings.flags)
    async with flags_in_force(settings.flags, clock=clock) as flags, asyncio.TaskGroup() as group:
        router = Router(
            kill_switch=kill_switch, flags=flags, rollout=rollout, breakers=breakers, environment=environment
        )
        spool = Spool(spool_path)
        watching = group.create_task(_watch(watcher, clock))
        try:
            yield Control(
                kill_switch=kill_switch,
                flags=flags,
                state=state,
                rollout=rollout,
                breakers=breakers,
                router=router,
                spool=spool,
                rules=rules,
            )
        finally:
            watching.cancel()
            spool.close()
            with contextlib.suppress(OSError):
                watcher.close()


async def _watch(watcher: Watcher, clock: Clock) -> None:
    """Poll for ever; what goes wrong with one poll must not end the triggers."""
    while True:
        try:
            await watcher.poll()
        except Exception:
            log.exception("triggers could not be looked after")
        await clock.sleep(_POLL_S)
