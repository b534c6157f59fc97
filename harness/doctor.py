"""Whether a live run could begin: settings, keys, prices, models, and whether both providers answer.

Asks only what is free, unless told to speak; says what to do about everything that is not right.
"""

import os
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from harness.clock import Clock
from harness.config import PROJECT, QwenSettings, Settings
from harness.errors import ConfigError
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.base import Deadline, FreeAdmission, Provider
from harness.providers.catalogue import open_modal, open_qwen
from harness.providers.pricing import PriceList
from harness.providers.qwen_region import CONFIRMED_REGIONS, regions_of
from harness.providers.qwen_terms import objection_to
from harness.speech import Operation, SpeechRequest, Voice, VoiceKind
from harness.store.runs import audio_store

__all__ = ["Check", "Mark", "Retirement", "check_live", "check_settings", "load_retirements", "smoke"]

RETIREMENTS: Final = PROJECT / "data" / "retirements.toml"
_OLD_PRICE_DAYS: Final = 180  # the provider changed prices twice in 2026 (providers.md A8)
_RATE_HZ: Final = 24_000  # of both providers (providers.md 0)
_MOST_SKEW_S: Final = 30.0  # an audio address lives for a day, but journals of two machines are compared by time
# At Qwen one letter of every script, so that the call also tells how each is counted (providers.md A8, F7).
_SMOKE_TEXTS: Final = {"qwen": "Hello, 你好, かな, 한글.", "modal": "Hello."}
_SMOKE_VOICES: Final = {"qwen": "Cherry", "modal": "Vivian"}

_Opened = TypeVar("_Opened", bound=Provider)


class Mark(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"
    SKIPPED = "skipped"


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    mark: Mark
    words: str  # what was found, and what to do about it


class Retirement(BaseModel):
    """The announced end of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    on: date
    source: str


def load_retirements(path: Path = RETIREMENTS) -> list[Retirement]:
    """Every announcement in the file.

    Raises:
        ConfigError: The file is missing or wrong.
    """
    try:
        tables = tomllib.loads(path.read_text())
        return [Retirement.model_validate(row) for row in tables["retirement"]]
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, KeyError, ValidationError) as error:
        raise ConfigError(f"{path}: not a list of [[retirement]] with model, on and source: {error}") from None


def check_settings(settings: Settings, *, today: date) -> Iterator[Check]:
    """All that can be seen without a connection."""
    yield _home(settings.home)
    yield _key("qwen key", settings.qwen.api_key, "CUTOVER_QWEN__API_KEY", required=True)
    yield _key("modal key", settings.modal.key, "CUTOVER_MODAL__KEY", required=False)
    yield _region(settings.qwen)
    yield from _families(settings.qwen)
    yield from _prices(settings, today)
    yield from _retired(settings, today)
    if settings.allow_hosts:
        hosts = ", ".join(sorted(settings.allow_hosts))
        yield Check("stand-ins", Mark.WARNING, f"CUTOVER_ALLOW_HOSTS lets {hosts} be reached; unset it for a live run")


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


async def smoke(name: str, settings: Settings, *, clock: Clock, announce: Callable[[int | None], bool]) -> Check:
    """One short sentence at a provider, once `announce` has agreed to what it may cost in micro-dollars."""
    request = SpeechRequest(
        operation=Operation.GENERATE,
        text=_SMOKE_TEXTS[name],
        language=None,
        voice=Voice(kind=VoiceKind.PRESET, id=_SMOKE_VOICES[name]),
    )
    opener: Callable[..., Provider] = open_qwen if name == "qwen" else open_modal
    async with _opened(name, opener, settings, clock) as provider:
        if isinstance(provider, Check):
            return provider
        if not announce(provider.worst_microusd(request)):
            return Check(f"{name} speech", Mark.SKIPPED, "nothing was sent; --smoke --yes sends it")
        deadline = Deadline(clock, settings.qwen.deadline_s if name == "qwen" else settings.modal.deadline_s)
        exchange = await provider.synthesize(request, admission=FreeAdmission(), deadline=deadline)
    if isinstance(exchange.result, Failure):
        return Check(f"{name} speech", Mark.BAD, exchange.result.detail)
    return _spoken(f"{name} speech", exchange, exchange.result)


def _spoken(name: str, exchange: Exchange, speech: Speech) -> Check:
    """How the speech came, and whether it is what every comparison takes for granted."""
    cost = "unknown cost" if exchange.cost.microusd is None else f"${exchange.cost.microusd / 1e6:.6f}"
    words = f"{len(speech.audio)} bytes in {exchange.timing.service_s:.2f} s for {cost}"
    reported, counted = exchange.usage.reported_chars, exchange.usage.counted_chars
    if reported is not None and reported != counted:
        words += f"; {reported} characters were billed where we count {counted}, so forecasts of cost are off"
        return Check(name, Mark.WARNING, words)
    if speech.sample_rate_hz != _RATE_HZ:
        return Check(name, Mark.WARNING, f"{words}; it has {speech.sample_rate_hz} Hz, not {_RATE_HZ}")
    return Check(name, Mark.OK, words)


def _home(home: Path) -> Check:
    nearest = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check("data folder", Mark.OK, str(home))
    return Check("data folder", Mark.BAD, f"{home} cannot be written; CUTOVER_HOME names another")


def _key(name: str, key: SecretStr | None, variable: str, *, required: bool) -> Check:
    if key is None:
        if required:
            return Check(name, Mark.BAD, f"{variable} is not set")
        return Check(name, Mark.SKIPPED, f"{variable} is not set; right only for a deployment that is open to all")
    # Enough to tell two keys apart, nothing to find one by.
    return Check(name, Mark.OK, f"set, fingerprint {sha256(key.get_secret_value().encode()).hexdigest()[:8]}")


def _region(settings: QwenSettings) -> Check:
    there, region = regions_of(settings.base_url), settings.region
    if there and region not in there:
        words = (
            f"CUTOVER_QWEN__REGION is {region}, but CUTOVER_QWEN__BASE_URL leads to {' or '.join(there)}: prices and "
            "consent would be those of the wrong region; set both alike"
        )
        return Check("qwen region", Mark.BAD, words)
    if region not in CONFIRMED_REGIONS:
        words = f"speech in {region} is not documented, only in {' and '.join(CONFIRMED_REGIONS)}; --smoke tells"
        return Check("qwen region", Mark.WARNING, words)
    return Check("qwen region", Mark.OK, region)


def _families(settings: QwenSettings) -> Iterator[Check]:
    """Models that cannot speak with the voices they would be given."""
    for kind in VoiceKind:
        for instructions in (None, "calm") if kind is VoiceKind.PRESET else (None,):
            voice = Voice(kind=kind, id=_SMOKE_VOICES["qwen"])
            request = SpeechRequest(
                operation=Operation.GENERATE, text="Hello.", language=None, voice=voice, instructions=instructions
            )
            objection = objection_to(request, settings)
            if objection and objection.code == "local.model":
                yield Check(f"model for {kind} voices", Mark.BAD, objection.detail)


def _models(settings: Settings) -> dict[str, str]:
    """Setting → model of the candidate."""
    qwen = settings.qwen
    return {
        "generate_model": qwen.generate_model,
        "instruct_model": qwen.instruct_model,
        "clone_model": qwen.clone_model,
        "design_model": qwen.design_model,
        "enrolment_model": qwen.enrolment_model,
        "voice_design_model": qwen.voice_design_model,
    }


def _prices(settings: Settings, today: date) -> Iterator[Check]:
    try:
        prices = PriceList.load(settings.prices)
    except ConfigError as error:
        yield Check("prices", Mark.BAD, str(error))
        return
    per_voice = ("enrolment_model", "voice_design_model")
    wanted = [
        ("qwen", settings.qwen.region, model, "voices" if setting in per_voice else "characters")
        for setting, model in _models(settings).items()
    ]
    for provider, region, item, unit in [*wanted, ("modal", settings.modal.region, settings.modal.gpu, "gpu_s")]:
        price = prices.find(provider, region, item, unit)
        name = f"price of {item}"
        if price is None or price.usd is None:
            words = f"unknown in {region}, so a run that needs it sends nothing; add it to {settings.prices.name}"
            yield Check(name, Mark.WARNING, words)
        elif (today - price.as_of).days > _OLD_PRICE_DAYS:
            words = f"read on {price.as_of}, {(today - price.as_of).days} days ago; look it up again: {price.source}"
            yield Check(name, Mark.WARNING, words)
        else:
            yield Check(name, Mark.OK, f"${price.usd} per {price.per} {unit}, read on {price.as_of}")


def _retired(settings: Settings, today: date) -> Iterator[Check]:
    announced = {retirement.model: retirement for retirement in load_retirements()}
    for setting, model in _models(settings).items():
        retirement = announced.get(model)
        if retirement:
            when = "was to end" if retirement.on <= today else "ends"
            words = f"{when} on {retirement.on} ({retirement.source}); CUTOVER_QWEN__{setting.upper()} names another"
            yield Check(f"model {model}", Mark.WARNING, words)


@asynccontextmanager
async def _opened(
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
    async with _opened("qwen", open_qwen, settings, clock) as qwen:
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
    async with _opened("modal", open_modal, settings, clock) as modal:
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
