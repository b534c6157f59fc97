"""Which flags count: the file or another OpenFeature provider, and what the environment sets in their place."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

from harness.clock import Clock
from harness.config import FlagSettings
from harness.errors import ConfigError
from harness.flags.flag_file import FlagFile
from harness.flags.flagset import ALL_BP, Flag, FlagSource, Mode
from harness.flags.openfeature_flags import OpenFeatureFlags, load_provider
from harness.speech import Operation

__all__ = ["flags_in_force", "flags_of_environment"]

_ASK_EVERY_S: Final = 1.0
_SHARE: Final = {Mode.SHADOW: "shadow_bp", Mode.CANARY: "share_bp"}


def flags_of_environment(settings: FlagSettings) -> Mapping[Operation, Flag]:
    """What `CUTOVER_FLAGS__GENERATE` and its sisters set.

    Raises:
        ConfigError: A mode or share is misspelt; says which and what is valid.
    """
    given = {operation: getattr(settings, operation.value) for operation in Operation}
    return MappingProxyType({operation: _flag(operation, text) for operation, text in given.items() if text})


def _flag(operation: Operation, text: str) -> Flag:
    variable = f"CUTOVER_FLAGS__{operation.value.upper()}"
    name, colon, share = text.strip().lower().partition(":")
    if name not in set(Mode):
        raise ConfigError(f"{variable}: {text!r} begins with no mode; use legacy, shadow:1000, canary:500 or qwen")
    mode = Mode(name)
    field = _SHARE.get(mode)
    if field is None:
        if colon:
            raise ConfigError(f"{variable}: {name} takes no share; write {name} alone")
        return Flag(mode=mode)
    if not (share.isascii() and share.isdigit() and int(share) <= ALL_BP):
        raise ConfigError(
            f"{variable}: {text!r} needs a share in basis points from 0 to {ALL_BP}, such as {name}:500 for 5 %"
        )
    return Flag(mode=mode, **{field: int(share)})


@asynccontextmanager
async def flags_in_force(settings: FlagSettings, *, clock: Clock) -> AsyncIterator[FlagSource]:
    """The flags that people set, kept up to date until the end of the block.

    Raises:
        ConfigError: The provider cannot be had.
    """
    if settings.provider is None:
        yield FlagFile(settings.file, clock=clock)
        return
    # Loading may wait for a network, and whatever the provider does must not hold up requests.
    provider = await asyncio.to_thread(load_provider, settings.provider)
    flags = OpenFeatureFlags(provider, salt=settings.salt, prefix=settings.prefix, clock=clock)
    await flags.refresh()
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(_keep_asking(flags, clock))
        try:
            yield flags
        finally:
            asking.cancel()
            provider.shutdown()


async def _keep_asking(flags: OpenFeatureFlags, clock: Clock) -> None:
    while True:
        await clock.sleep(_ASK_EVERY_S)
        await flags.refresh()
