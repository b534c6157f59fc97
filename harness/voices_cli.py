"""`cutover voices`: what replays keep in the provider's account, and deleting what none of them needs any more."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import HarnessError
from harness.exchanges import Failure
from harness.providers.catalogue import open_qwen
from harness.providers.qwen import QwenProvider
from harness.providers.voice_pool import Owner, PoolVoice
from harness.store.runs import audio_store

__all__ = ["voices"]

T = TypeVar("T")


@click.group(epilog="Example: cutover voices list")
def voices() -> None:
    """Look at the voices in the Qwen account and clear away what replays left there."""


@voices.command("list", epilog="Example: cutover voices list --json")
@click.option("--all", "everybody", is_flag=True, help="Show the voices of others too, which are never deleted here.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def list_(everybody: bool, as_json: bool) -> None:
    """The voices that replays made, with who needs them; free of charge."""
    listed = _with_qwen(_pool)
    found = [voice for voice in listed if everybody or voice.owner is not Owner.OTHERS]
    if as_json:
        rows = [{**voice._asdict(), "owner": voice.owner.value} for voice in found]
        click.echo(json.dumps({"schema": 1, "voices": rows}, indent=2))
    else:
        for voice in found:
            degraded = "  (made in degraded mode: its recording or transcript was poor)" if voice.degraded else ""
            click.echo(f"{voice.owner.value:10} {voice.made_at or '-':20} {voice.voice_id}{degraded}")
    left = sum(voice.owner in (Owner.LEFT_OVER, Owner.GONE) for voice in found)
    others = sum(voice.owner is Owner.OTHERS for voice in listed)
    click.echo(
        f"{len(listed) - others} voices, {left} to clear away; {others} of others. "
        f"Next: cutover {'voices gc' if left else 'demo'}",
        err=True,
    )


@voices.command("gc", epilog="Example: cutover voices gc --yes")
@click.option("--yes", is_flag=True, help="Delete; without it only what would be deleted is shown.")
def gc_(yes: bool) -> None:
    """Delete the voices that a replay made and nobody remembers, and forget those that are gone.

    Only names that begin with CUTOVER_QWEN__VOICE_PREFIX are ever deleted. Whoever shares the account without sharing
    the data folder needs a prefix of their own. Not while a replay runs: its voices may not be written down yet.
    """
    found = [voice for voice in _with_qwen(_pool) if voice.owner in (Owner.LEFT_OVER, Owner.GONE)]
    for voice in found:
        click.echo(f"{'delete' if voice.owner is Owner.LEFT_OVER else 'forget'} {voice.voice_id}")
    if not found:
        click.echo("Nothing to clear away. Next: cutover voices list", err=True)
    elif not yes:
        click.echo("Nothing was deleted. To delete these: cutover voices gc --yes", err=True)
    else:
        kept = _with_qwen(lambda qwen: _clear(qwen, found))
        if kept:
            raise HarnessError(f"{len(kept)} of {len(found)} voices could not be deleted; type the same again later")
        click.echo(f"{len(found)} cleared away. Next: cutover voices list", err=True)


def _with_qwen(ask: Callable[[QwenProvider], Awaitable[T]]) -> T:
    """What the provider answers, its connections opened and closed again."""
    settings = Settings.load()

    async def asking() -> T:
        async with open_qwen(settings, references=audio_store(settings.home), clock=SystemClock()) as qwen:
            return await ask(qwen)

    return asyncio.run(asking())


async def _pool(qwen: QwenProvider) -> list[PoolVoice]:
    found = await qwen.voice_pool()
    if isinstance(found, Failure):
        raise HarnessError(f"the account's voices could not be listed: {found.detail}. Next: cutover doctor")
    return found


async def _clear(qwen: QwenProvider, found: list[PoolVoice]) -> list[str]:
    """Ids of those that are still there."""
    kept = []
    for voice in found:
        if voice.owner is Owner.GONE:
            qwen.forget_voice(voice.voice_id)
        elif not await qwen.delete_voice(voice.voice_id):
            kept.append(voice.voice_id)
    return kept
