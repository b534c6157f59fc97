"""The migration gap of a file of captures, found on this machine alone: no key is needed and no socket opened.

Which voices exist at the candidate is what our own record says; `cutover voices list` asks the account itself.
"""

from pathlib import Path
from urllib.parse import urlsplit

from harness.clock import Clock
from harness.config import QwenSettings, Settings
from harness.errors import UsageError
from harness.exchanges import Capture
from harness.providers.enrolment import voice_key
from harness.providers.pricing import PriceList
from harness.providers.voices import VoiceRegistry
from harness.speech import Operation
from replay.gaps import GapReport, gap_report
from replay.obstacles import reference_problems
from replay.pacing import Pacing
from replay.sources import read_captures, select

__all__ = ["survey"]


async def survey(
    settings: Settings, path: Path, *, limit: int | None, seed: int, pacing: Pacing, pace: str, clock: Clock
) -> GapReport:
    """What of the captures in `path` the candidate could not do as it is.

    Args:
        settings: Of both providers; keys may be missing.
        path: The captures.
        limit: Look at so many only, spread over the operations.
        seed: Chooses them.
        pacing: At which the pressure on the quota is predicted.
        pace: The same, as it was typed.
        clock: Against which consent expires.

    Raises:
        CaptureError: The file cannot be read.
        ConfigError: The price file is wrong.
        UsageError: The file holds no capture that can be replayed.
    """
    source = read_captures(path, quarantine=settings.home / "quarantine")
    chosen = sorted(select(list(source), limit=limit, seed=seed), key=lambda capture: capture.captured_at)
    if not chosen:
        raise UsageError(f"{path}: holds no capture that can be replayed")
    return gap_report(
        chosen,
        qwen=settings.qwen,
        modal=settings.modal,
        prices=PriceList.load(settings.prices),
        problems=await reference_problems(chosen, source.references),
        migrated=_migrated(chosen, settings.qwen, VoiceRegistry(settings.home / "voices.jsonl")),
        now=clock.now(),
        pacing=pacing,
        pace=pace,
        set_aside=source.counts.quarantined,
    )


def _migrated(captures: list[Capture], settings: QwenSettings, registry: VoiceRegistry) -> set[str]:
    """Ids (the caller's own) of voices to speak with that were made in this account, region and model before."""
    account = settings.account or urlsplit(settings.base_url).netloc
    made = set(registry.all().values())
    wanted = (capture.request for capture in captures if capture.request.operation is Operation.GENERATE)
    return {request.voice.id for request in wanted if voice_key(request.voice, settings, account=account) in made}
