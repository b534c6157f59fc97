"""`cutover voices`: what replays keep in the provider's account, and deleting what none of them needs any more."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

import click

from harness.clock import SystemClock
from harness.config import Settings
from harness.errors import HarnessError
from harness.exchanges import Failure
from harness.gateway.qwen_voices import as_spoken_at_qwen
from harness.gateway.voice_book import VoiceBook, voice_book_path
from harness.providers.catalogue import open_qwen
from harness.providers.qwen import QwenProvider
from harness.providers.voice_pool import Owner, PoolVoice
from harness.store.runs import audio_store

__all__ = ["voices"]

T = TypeVar("T")

_TO_CLEAR: Final = (Owner.LEFT_OVER, Owner.GONE)


@click.group(epilog="Example: cutover voices list")
def voices() -> None:
    """Look at the voices in the Qwen account and clear away what replays left there."""


@voices.command("list", epilog="Example: cutover voices list --json")
@click.option("--all", "everybody", is_flag=True, help="Show the voices of others too, which are never deleted here.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def list_(everybody: bool, as_json: bool) -> None:
    """The voices that replays made: who needs them, and when each last spoke; free of charge."""
    listed = _with_qwen(_pool)
    found = [voice for voice in listed if everybody or voice.owner is not Owner.OTHERS]
    if as_json:
        click.echo(json.dumps({"schema": 1, "voices": [_row(voice) for voice in found]}, indent=2))
    else:
        for voice in found:
            click.echo(_line(voice))
    left = sum(voice.owner in _TO_CLEAR for voice in found)
    others = sum(voice.owner is Owner.OTHERS for voice in listed)
    click.echo(
        f"{len(listed) - others} voices, {left} to clear away; {others} of others. "
        f"Next: cutover {'voices gc' if left else 'demo'}",
        err=True,
    )


@voices.command("gc", epilog="Example: cutover voices gc --unused-days 90 --yes")
@click.option(
    "--unused-days",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Delete remembered voices too that have not spoken for so long, and that no caller of the gateway has; "
    "0 for all of them. The next replay that needs one makes it again, for its fee.",
)
@click.option("--yes", is_flag=True, help="Delete; without it only what would be deleted is shown.")
def gc_(unused_days: int | None, yes: bool) -> None:
    """Delete the voices that a replay made and nobody remembers, and forget those that are gone.

    Of what nobody remembers only names that begin with CUTOVER_QWEN__VOICE_PREFIX are deleted. Whoever shares the
    account without sharing the data folder needs a prefix of their own. Not while a replay runs: its voices may not be
    written down yet.
    """
    found = _with_qwen(lambda qwen: _to_clear(qwen, unused_days))
    for voice in found:
        click.echo(f"{'forget' if voice.owner is Owner.GONE else 'delete'} {voice.voice_id}")
    if not found:
        click.echo("Nothing to clear away. Next: cutover voices list", err=True)
    elif not yes:
        unused = "" if unused_days is None else f"--unused-days {unused_days} "
        click.echo(f"Nothing was deleted. To delete these: cutover voices gc {unused}--yes", err=True)
    else:
        kept = _with_qwen(lambda qwen: _clear(qwen, found))
        if kept:
            raise HarnessError(f"{len(kept)} of {len(found)} voices could not be deleted; type the same again later")
        click.echo(f"{len(found)} cleared away. Next: cutover voices list", err=True)


def _row(voice: PoolVoice) -> dict[str, object]:
    used_at = voice.used_at.isoformat() if voice.used_at else None
    return {**voice._asdict(), "owner": voice.owner.value, "used_at": used_at}


def _line(voice: PoolVoice) -> str:
    spoke = f"spoke {voice.used_at:%Y-%m-%d}" if voice.used_at else "-"
    notes = "  (remembered only: the account no longer has it)" if voice.owner is Owner.GONE else ""
    if voice.degraded:
        notes += "  (made in degraded mode: its recording or transcript was poor)"
    return f"{voice.owner.value:10} {voice.made_at or '-':20} {spoke:16} {voice.voice_id}{notes}"


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


async def _to_clear(qwen: QwenProvider, unused_days: int | None) -> list[PoolVoice]:
    """What nobody needs: neither our memory nor, where `unused_days` says so, anybody who spoke with it since."""
    pool = await _pool(qwen)
    found = [voice for voice in pool if voice.owner in _TO_CLEAR]
    if unused_days is None:
        return found
    settings, clock = Settings.load(), SystemClock()
    since = clock.now() - timedelta(days=unused_days)
    booked = VoiceBook(voice_book_path(settings.home), clock).everybodys()
    callers = {qwen.remembered_voice(as_spoken_at_qwen(each.voice)) for each in booked}
    unused = [voice for voice in pool if voice.owner is Owner.REPLAY and not _spoke_since(voice, since)]
    return found + [voice for voice in unused if voice.voice_id not in callers]


def _spoke_since(voice: PoolVoice, since: datetime) -> bool:
    return voice.used_at is not None and voice.used_at > since


async def _clear(qwen: QwenProvider, found: list[PoolVoice]) -> list[str]:
    """Ids of those that are still there."""
    kept = []
    for voice in found:
        if voice.owner is Owner.GONE:
            qwen.forget_voice(voice.voice_id)
        elif not await qwen.delete_voice(voice.voice_id):
            kept.append(voice.voice_id)
    return kept
