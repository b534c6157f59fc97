"""Opens all that one gateway process works with, from the settings, and closes it in the opposite order."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Final

from harness.capturing.keys import IDENTITY_KEY, open_keys
from harness.capturing.recorder import CaptureRecorder
from harness.capturing.references import EncryptedBlobStore
from harness.clock import Clock
from harness.config import Settings
from harness.exchanges import Lane
from harness.flags.flagset import Mode
from harness.gateway.books import Books
from harness.gateway.callers import open_callers
from harness.gateway.control import Control, opened_control
from harness.gateway.copies import Copies
from harness.gateway.dispatch import Dispatcher
from harness.gateway.idempotency import Idempotency
from harness.gateway.lanes import Lanes
from harness.gateway.limits import Limits
from harness.gateway.parts import Parts
from harness.gateway.qwen_voices import QwenVoices
from harness.gateway.recorder import Recorder
from harness.gateway.shadow_opening import shadow_of
from harness.gateway.shadow_process import ShadowProcess
from harness.gateway.slowness import Slowness
from harness.gateway.thinned import Thinned
from harness.gateway.voice_book import VoiceBook, recordings_path, voice_book_path
from harness.providers.base import Provider, References
from harness.providers.catalogue import open_provider
from harness.routing.route import share_bp
from harness.speech import Operation
from harness.telemetry.log_format import dropped_lines
from harness.telemetry.metrics import Metrics, Share
from harness.telemetry.shared import SharedMetrics

__all__ = ["Gateway", "opened_gateway"]

_PROVIDERS: Final = {Lane.CONTROL: "modal", Lane.CANDIDATE: "qwen"}
_ALL_BP: Final = 10_000


class Gateway:
    """One process, open: the parts for the routes and what administration needs."""

    def __init__(self, parts: Parts, control: Control, shadow: Copies, shared: SharedMetrics) -> None:
        self.parts = parts
        self.control = control
        self.shadow = shadow
        self.shared = shared


@contextlib.asynccontextmanager
async def opened_gateway(
    settings: Settings,
    *,
    clock: Clock,
    worker: int = 0,
    workers: int = 1,
    is_draining: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Gateway]:
    """Everything open, until the end of the block.

    Args:
        settings: All settings.
        clock: The time.
        worker: Which of the processes this one is, from 0.
        workers: How many share port, limits and budgets.
        is_draining: Whether this process is about to end.

    Raises:
        ConfigError: A setting, flag or key cannot be used; says which.
    """
    keys, home = open_keys(settings), settings.home
    folder, name = home / "gateway", str(worker)
    references = EncryptedBlobStore(recordings_path(home), keys)
    async with contextlib.AsyncExitStack() as stack:
        enter, aenter = stack.enter_context, stack.enter_async_context
        control = await aenter(opened_control(settings, clock=clock))
        callers = await aenter(open_callers(settings, identity_key=keys.key(IDENTITY_KEY), clock=clock))
        recorder = enter(Recorder(CaptureRecorder(home / "captures", settings.capture, keys, clock=clock)))
        names = _names(settings, control)
        shadow = await aenter(_shadow(names, settings, clock=clock, workers=workers))
        copies = Thinned(shadow, settings.gateway.shadow.per_second / workers, clock=clock)
        metrics = Metrics(worker=name)
        shared = SharedMetrics(metrics, folder / "metrics", worker=name)
        stack.callback(shared.close)
        books = await aenter(
            Books(
                spool=control.spool,
                metrics=metrics,
                breakers=control.breakers,
                rules=control.rules.audio,
                clock=clock,
                process=name,
                slowness=Slowness(settings.gateway),
                shadow=copies,
                recorder=recorder,
                references=references,
            )
        )
        opened = _providers(names, settings, references, clock)
        providers = {lane: await aenter(each) for lane, each in opened.items()}
        lanes = await aenter(_lanes(providers, settings, control, books, clock))
        voices = VoiceBook(voice_book_path(home), clock)
        parts = Parts(
            callers=callers,
            limits=Limits(clock=clock, voices=voices, processes=workers),
            idempotency=Idempotency(folder / "answers", clock=clock, keep_s=settings.gateway.idempotency_s),
            voices=voices,
            references=references,
            dispatcher=_dispatcher(settings, control, lanes, clock),
            lanes=lanes,
            books=books,
            clock=clock,
            max_body_bytes=settings.gateway.limits.max_body_bytes,
            readiness=lambda: _readiness(control, is_draining),
            metrics_text=shared.text,
        )
        _watch(metrics, control, copies, recorder, settings)
        yield Gateway(parts, control, shadow, shared)


def _names(settings: Settings, control: Control) -> dict[Lane, str]:
    """The providers that are set up, and those that cannot be done without: what these lack stops the start.

    Legacy may only be missing once it is retired for every operation, and Qwen only while nothing can get there.
    """
    found = [control.router.inputs(operation, unit=None, request_id="") for operation in Operation]
    modal = settings.modal
    urls = (modal.base_url, modal.clone_url, modal.design_url, modal.generate_url, modal.submit_url)
    wanted = {
        Lane.CONTROL: any(urls) or not all(inputs.ceiling.retired for inputs in found),
        Lane.CANDIDATE: settings.qwen.api_key is not None
        or any(inputs.ceiling.retired or inputs.flag.mode is not Mode.LEGACY for inputs in found),
    }
    return {lane: name for lane, name in _PROVIDERS.items() if wanted[lane]}


def _providers(
    names: Mapping[Lane, str], settings: Settings, references: References, clock: Clock
) -> dict[Lane, Provider]:
    """Each with one attempt a call: the second one is the other lane's."""
    once = settings.model_copy(
        update={
            "qwen": settings.qwen.model_copy(update={"max_attempts": 1}),
            "modal": settings.modal.model_copy(update={"max_attempts": 1}),
        }
    )
    return {lane: open_provider(name, once, references=references, clock=clock) for lane, name in names.items()}


@contextlib.asynccontextmanager
async def _lanes(
    providers: Mapping[Lane, Provider], settings: Settings, control: Control, books: Books, clock: Clock
) -> AsyncIterator[Lanes]:
    if Lane.CANDIDATE not in providers:
        yield Lanes(providers, voices=None)
        return
    async with QwenVoices(
        providers[Lane.CANDIDATE],
        region=settings.gateway.region or settings.qwen.region,
        clock=clock,
        kill_reason=control.kill_switch.reason,
        breaker=control.breakers.of(Lane.CANDIDATE, Operation.CLONE),
        made=books.made_voice,
    ) as voices:
        yield Lanes(providers, voices=voices)


def _dispatcher(settings: Settings, control: Control, lanes: Lanes, clock: Clock) -> Dispatcher:
    return Dispatcher(
        control.router,
        lanes,
        kill_reason=control.kill_switch.reason,
        clock=clock,
        first_byte_s=settings.gateway.first_byte_s,
        deadline_s=settings.gateway.deadline_s,
        slowness=Slowness(settings.gateway),
    )


@contextlib.asynccontextmanager
async def _shadow(
    names: Mapping[Lane, str], settings: Settings, *, clock: Clock, workers: int
) -> AsyncIterator[Copies]:
    if settings.gateway.shadow.own_process:
        async with ShadowProcess(names, settings, clock=clock, processes=workers) as process:
            yield process
    else:
        async with shadow_of(settings, names, clock=clock, processes=workers) as shadow:
            yield shadow


def _readiness(control: Control, is_draining: Callable[[], bool]) -> dict[str, str | None]:
    return {
        "draining": "this process is about to end" if is_draining() else None,
        "flags": "the flags cannot be used, all goes to legacy" if control.flags.current().problem else None,
        "rollout": "the rollout cannot be read, nobody gets Qwen" if control.rollout.problem else None,
        "kill_switch": "nothing goes to Qwen" if control.kill_switch.reason() else None,
    }


def _watch(metrics: Metrics, control: Control, copies: Copies, recorder: Recorder, settings: Settings) -> None:
    metrics.watch(
        breakers=control.breakers,
        shares=lambda: _shares(control),
        states=lambda: {
            "killed": float(control.router.is_killed),
            "flags_unusable": float(control.flags.current().problem is not None),
            "rollout_unreadable": float(control.rollout.problem is not None),
            "spool_lost": float(control.spool.lost),
            "log_lines_dropped": float(dropped_lines()),
        },
        copies=lambda: {
            **asdict(copies.counts),
            "waiting": copies.waiting,
            "spent_usd": copies.spent_microusd / 1e6,
        },
        captures=lambda: {field: getattr(recorder.counts, field) for field in recorder.counts.__slots__},
        quotas=lambda: {"qwen": settings.qwen.quota.per_minute, "modal": settings.modal.quota.per_minute},
    )


def _shares(control: Control) -> Iterable[Share]:
    for operation in Operation:
        inputs = control.router.inputs(operation, unit=None, request_id="")
        yield operation, "flag", inputs.flag.live_bp / _ALL_BP
        yield operation, "rollout", inputs.ceiling.share_bp / _ALL_BP
        yield operation, "effective", share_bp(inputs.killed, inputs.flag, inputs.ceiling) / _ALL_BP
