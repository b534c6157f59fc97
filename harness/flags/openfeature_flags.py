"""Flags from any other OpenFeature provider, chosen by a setting: `package.module:factory`.

Such a provider may sit behind a network, so it is asked in the background and requests read the last answer. An answer
that is wrong or too old means legacy. Who is in which bucket stays ours: the provider sets modes and shares only.
"""

import asyncio
import hashlib
import importlib
import logging
from collections.abc import Awaitable
from types import MappingProxyType
from typing import TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import FeatureProvider

from harness.clock import Clock
from harness.errors import ConfigError
from harness.flags.flagset import ALL_BP, Flag, FlagSet, Mode
from harness.flags.openfeature_provider import FIELDS
from harness.speech import Operation

__all__ = ["OpenFeatureFlags", "load_provider"]

log = logging.getLogger(__name__)

Value = TypeVar("Value")


def load_provider(target: str) -> FeatureProvider:
    """The OpenFeature provider that `target` names, initialised; may take as long as the provider does.

    Raises:
        ConfigError: `target` names no provider, or it did not come up.
    """
    module, _, attribute = target.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        raise ConfigError(f"{target}: cannot be imported; name an OpenFeature provider as module:factory") from None
    try:
        provider: FeatureProvider = factory()
        provider.initialize(EvaluationContext())
    except Exception as error:
        raise ConfigError(f"{target}: did not come up ({type(error).__name__}); mend its own settings") from error
    return provider


class OpenFeatureFlags:
    """The flags `<prefix><operation>.mode`, `.share_bp`, `.shadow_bp` and `.spill_bp` of a provider.

    Somebody has to call `refresh` every second or so. The provider is asked directly and not through the SDK's client,
    which answers a cancelled question with an error of its own (0.10.0) and so would swallow the end of a task.
    """

    def __init__(
        self,
        provider: FeatureProvider,
        *,
        salt: str,
        clock: Clock,
        prefix: str = "",
        timeout_s: float = 2.0,
        max_age_s: float = 10.0,
    ) -> None:
        self._provider = provider
        self._salt = salt
        self._clock = clock
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._max_age_s = max_age_s
        self._flags = FlagSet.all_legacy("the flag provider was not asked yet")
        self._asked_s = -float("inf")

    def current(self) -> FlagSet:
        """The last answer; all legacy when it is older than `max_age_s`."""
        if self._flags.problem is None and self._clock.monotonic() - self._asked_s > self._max_age_s:
            self._refuse(f"the flag provider gave no answer for {self._max_age_s:g} s")
        return self._flags

    async def refresh(self) -> None:
        """Ask for all flags and put them in force together.

        A provider that fails to answer changes nothing until its last answer is too old.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                flags = await self._ask()
                # Flags are asked for one by one; what changed in between shows when asked again.
                if flags != self._flags and flags != await self._ask():
                    return
        except ConfigError as error:
            self._refuse(str(error))
        except Exception as error:  # noqa: BLE001 - a stranger's provider may raise anything
            log.warning("flag provider gave no answer", extra={"error": type(error).__name__})
        else:
            self._asked_s = self._clock.monotonic()
            self._flags = flags

    async def _ask(self) -> FlagSet:
        flags = {operation: await self._flag(operation) for operation in Operation}
        values = [(operation, *(getattr(flag, field) for field in FIELDS)) for operation, flag in flags.items()]
        version = hashlib.sha256(repr((self._salt, values)).encode()).hexdigest()[:12]
        return FlagSet(version=version, salt=self._salt, flags=MappingProxyType(flags))

    async def _flag(self, operation: Operation) -> Flag:
        key = f"{self._prefix}{operation}.mode"
        mode = await _answer(self._provider.resolve_string_details_async(key, Mode.LEGACY.value), Mode.LEGACY.value)
        if mode not in set(Mode):
            raise ConfigError(f"{key}: {mode!r} is no mode; valid are {', '.join(Mode)}")
        shares = {field: await self._share(f"{self._prefix}{operation}.{field}") for field in FIELDS[1:]}
        return Flag(mode=Mode(mode), **shares)

    async def _share(self, key: str) -> int:
        share_bp = await _answer(self._provider.resolve_integer_details_async(key, 0), 0)
        if type(share_bp) is not int or not 0 <= share_bp <= ALL_BP:
            raise ConfigError(f"{key}: {share_bp!r} is not a whole number from 0 to {ALL_BP}, in basis points")
        return share_bp

    def _refuse(self, problem: str) -> None:
        if problem != self._flags.problem:
            log.error("flag provider unusable, everything goes to legacy", extra={"problem": problem})
            self._flags = FlagSet.all_legacy(problem)


async def _answer(question: Awaitable[FlagResolutionDetails[Value]], default: Value) -> Value:
    """The value of a flag; the default, which is legacy, for one that nobody set there."""
    try:
        details = await question
        details.raise_for_error()
    except FlagNotFoundError:
        return default
    return details.value
