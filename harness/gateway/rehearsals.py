"""A rollback drill on a gateway that serves, as a caller who exists only meanwhile and whom Qwen is to answer."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from harness.capturing.keys import IDENTITY_KEY, open_keys
from harness.clock import Clock
from harness.config import Settings
from harness.errors import HarnessError, UsageError
from harness.flags.kill_switch import KillSwitch
from harness.gateway.caller_file import add_key, remove_key
from harness.gateway.callers import caller_key, callers_path
from harness.gateway.control import Control
from harness.rollout.drill_book import DrillBook, DrillKind
from harness.rollout.drill_target import HttpTarget
from harness.rollout.drilling import rehearse
from harness.rollout.evidence import Drill
from harness.rollout.places import drills_file
from harness.routing.bucket import bucket_of
from harness.speech import Operation

__all__ = ["DRILL_VOICE", "Rehearsals", "caller_within", "rehearse_at"]

DRILL_VOICE: Final = "Ryan"  # both providers know it
_SEEN_S: Final = 1.0  # a gateway sees a new key within half of it
_START_S: Final = 30.0
_NAMES: Final = 200_000  # tried until one falls into the share; at 1 % a hundred do


class Rehearsals:
    """Drills on this very gateway, one at a time, each written down."""

    def __init__(self, settings: Settings, control: Control, *, clock: Clock) -> None:
        """Rehearse with the switch, flags and rollout of `control`."""
        self.base_url: str | None = None  # of the callers' port, once it is open
        self._settings = settings
        self._control = control
        self._clock = clock
        self._turn = asyncio.Lock()

    async def hold(self, *, who: str) -> Drill:
        """Throw the switch under traffic, look, lift it, and write down what was seen.

        Raises:
            UsageError: Nobody gets Qwen now, the switch is on already, or another drill is under way.
            HarnessError: The gateway does not answer, or the drill cannot be written down.
        """
        if self._turn.locked() or self.base_url is None:
            raise UsageError("a drill is under way, or the gateway has just begun; ask again in a minute")
        async with self._turn:
            inputs = self._control.router.inputs(Operation.GENERATE, unit=None, request_id="")
            share = min(inputs.flag.live_bp, inputs.ceiling.share_bp)
            drill = await rehearse_at(
                self._settings,
                self.base_url,
                name=caller_within(self._settings, salt=inputs.salt, share_bp=share),
                voice=DRILL_VOICE,
                switch=self._control.kill_switch,
                clock=self._clock,
                who=who,
            )
            book = DrillBook(drills_file(self._settings.home), clock=self._clock)
            await asyncio.to_thread(book.add, DrillKind.ROLLBACK, drill, who=who)
            return drill


def caller_within(settings: Settings, *, salt: str, share_bp: int) -> str:
    """A caller's name whose bucket lies within the share, so that Qwen is to answer it.

    Raises:
        UsageError: Nobody gets Qwen, so there is nothing to rehearse.
    """
    identity = open_keys(settings).key(IDENTITY_KEY)
    for number in range(_NAMES if share_bp else 0):
        name = f"drill-{number}"
        if bucket_of(salt, caller_key(identity, name)) < share_bp:
            return name
    raise UsageError("nobody gets Qwen now, so there is nothing to take back; rehearse with: rollout drill --local")


async def rehearse_at(
    settings: Settings, url: str, *, name: str, voice: str, switch: KillSwitch, clock: Clock, who: str
) -> Drill:
    """Rehearse on the gateway at `url`, whose file of callers is that of `settings`.

    Raises:
        UsageError: The switch is on already.
        ConfigError: `url` is no address, or the switch or the file of callers cannot be written.
        HarnessError: The gateway does not answer.
    """
    path = callers_path(settings)
    made, key = await asyncio.to_thread(add_key, path, name, now=clock.now())
    host = url.partition("://")[2].rstrip("/")
    try:
        async with AsyncExitStack() as stack:
            target = HttpTarget(url, key, voice=voice, allow_hosts=settings.allow_hosts | {host}, clock=clock)
            await stack.enter_async_context(target)
            began_s = clock.monotonic()
            while not await target.is_ready():
                if clock.monotonic() - began_s > _START_S:
                    raise HarnessError(f"{url}: the gateway is not ready; look at {url}/readyz")
                await clock.sleep(0.1)
            await clock.sleep(_SEEN_S)
            return await rehearse(target, switch, clock=clock, who=who)
    finally:
        await asyncio.to_thread(remove_key, path, made.id)
