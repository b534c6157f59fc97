"""Whether both providers answer: asked what is free there, unless told to wake a GPU."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from harness.clock import Clock
from harness.config import Settings
from harness.doctor.check import Check, Mark
from harness.errors import ConfigError
from harness.exchanges import Failure
from harness.providers.base import Provider
from harness.providers.catalogue import open_modal, open_qwen
from harness.store.runs import audio_store

__all__ = ["check_live", "opened"]

_MOST_SKEW_S: Final = 30.0  # an audio address lives for a day, but journals of two machines are compared by time

_Opened = TypeVar("_Opened", bound=Provider)


async def check_live(settings: Settings, *, clock: Clock, wake: bool) -> AsyncIterator[Check]:
    """Whether the providers answer.

    Args:
        settings: Where they are.
        clock: Times and waits.
        wake: Ask the legacy path for its health too, which can start a GPU and is then billed.
    """
    async for check in _live_qwen(settings, clock):
        yield check
    async for check in _live_modal(settings, clock, wake):
        yield check


@asynccontextmanager
async def opened(
    name: str, opener: Callable[..., _Opened], settings: Settings, clock: Clock
) -> AsyncIterator[_Opened | Check]:
    """A provider ready for use, or the check that says why it cannot be."""
    try:
        provider = opener(settings, references=audio_store(settings.home), clock=clock)
    except ConfigError as error:
        yield Check(f"{name} reached", Mark.BAD, str(error))
        return
    async with provider:
        yield provider


async def _live_qwen(settings: Settings, clock: Clock) -> AsyncIterator[Check]:
    async with opened("qwen", open_qwen, settings, clock) as qwen:
        if isinstance(qwen, Check):
            yield qwen
            return
        voices = await qwen.account_voices()
        if isinstance(voices, Failure):
            yield Check("qwen reached", Mark.BAD, voices.detail)
        else:
            words = f"{settings.qwen.base_url} knows the key; {len(voices)} of 1000 voices are taken"
            yield Check("qwen reached", Mark.OK, words)
        yield _skew("qwen clock", qwen.clock_skew_s)


async def _live_modal(settings: Settings, clock: Clock, wake: bool) -> AsyncIterator[Check]:
    async with opened("modal", open_modal, settings, clock) as modal:
        if isinstance(modal, Check):
            yield modal
            return
        if settings.modal.key is not None:
            yield _reached(await modal.reach())
        elif not wake:
            words = "not asked: without proxy authorization any call can start a GPU; --wake asks"
            yield Check("modal reached", Mark.SKIPPED, words)
        if wake:
            health = await modal.health()
            if isinstance(health, Failure):
                yield Check("modal health", Mark.BAD, health.detail)
            else:
                words = f"{health.model or 'no model named'} on {health.gpu or 'no GPU named'}, {health.took_s:.1f} s"
                yield Check("modal health", Mark.OK, words)
        yield _skew("modal clock", modal.clock_skew_s)


def _reached(status: int | Failure) -> Check:
    if isinstance(status, Failure):
        return Check("modal reached", Mark.BAD, status.detail)
    if status == 401:
        return Check("modal reached", Mark.OK, "it answers, and refuses whoever brings no key")
    words = f"HTTP {status} without the key, so anybody may use its GPU; deploy it with requires_proxy_auth=True"
    return Check("modal reached", Mark.WARNING, words)


def _skew(name: str, skew_s: float | None) -> Check:
    if skew_s is None:
        return Check(name, Mark.SKIPPED, "no reply told the time")
    mark = Mark.OK if abs(skew_s) <= _MOST_SKEW_S else Mark.WARNING
    remedy = "" if mark is Mark.OK else "; set this machine's clock by NTP"
    return Check(name, mark, f"ours is {abs(skew_s):.0f} s {'ahead' if skew_s >= 0 else 'behind'}{remedy}")
