"""`cutover emulate`: a stand-in provider as a server on this machine, until Ctrl-C.

Imports what makes audio only when a stand-in starts.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harness.emulators.latency import DEPLOYMENTS
from harness.emulators.options import Dialect, ModalOptions, QwenOptions
from harness.emulators.scenarios import SCENARIOS

if TYPE_CHECKING:
    from harness.emulators.server import Standin

__all__ = ["emulate"]

_QWEN_PORT: Final = 8101
_MODAL_PORT: Final = 8102
_AUDIO_PORT: Final = 8103


@click.group(epilog="Example: cutover emulate qwen --scenario slow")
def emulate() -> None:
    """Run a stand-in provider: the real wire format, synthetic voices, no bill.

    What it billed and was asked shows at /_standin/meter; a POST to /_standin/reset begins anew. Faults are injected by
    --faults FILE, by a POST of such a script to /_standin/faults, or by the header X-Standin-Fault of one request.
    """


def _common(port: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that both stand-ins take."""
    options = [
        click.option(
            "--port", type=click.IntRange(0, 65_535), default=port, show_default=True, help="0: any free one."
        ),
        click.option(
            "--time-scale",
            type=click.FloatRange(min=0, min_open=True),
            default=1.0,
            show_default=True,
            help="How long a second of the real service takes.",
        ),
        click.option("--scenario", default="healthy", show_default=True, help=f"One of {', '.join(SCENARIOS)}."),
        click.option("--seed", type=int, default=1, show_default=True, help="Drives everything random."),
        click.option(
            "--account",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Keep bill and voices in this file, and find them there again.",
        ),
        click.option(
            "--sound",
            multiple=True,
            metavar="KNOB=VALUE",
            help="Change every voice: pitch, pace, gain_db, noise_db, silence_s, keep; repeatable.",
        ),
        click.option(
            "--faults",
            type=click.Path(dir_okay=False, path_type=Path),
            help='Inject the faults of this JSON file; {"faults": [{"fault": "rate-quota", "times": 2}]}.',
        ),
        click.option("--until-stdin-closes", is_flag=True, help="End with the program that started this one."),
        click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON."),
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@emulate.command(epilog="Example: cutover emulate qwen --time-scale 0.02 --account data/local/qwen.jsonl")
@_common(_QWEN_PORT)
@click.option(
    "--audio-port",
    type=click.IntRange(0, 65_535),
    help=f"Where the audio lies: another host there, another port here  [default: {_AUDIO_PORT}; any with --port 0].",
)
@click.option("--api-key", help="Accept only this key  [default: every key that begins with sk-].")
@click.option("--region", default=QwenOptions().region, show_default=True, help="Which region this stand-in is.")
@click.option(
    "--region-key",
    "region_keys",
    multiple=True,
    metavar="REGION=KEY",
    help="Accept these keys alone, each in its own region; repeatable.",
)
@click.option("--retired", multiple=True, metavar="MODEL", help="Answer as if this model were taken off; repeatable.")
@click.option(
    "--requests-per-minute",
    type=click.FloatRange(min=0, min_open=True),
    default=180.0,
    show_default=True,
    help="Quota of each model, in minutes of the real service.",
)
@click.option(
    "--requests-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="Quota of each model also by the second  [default: none].",
)
@click.option(
    "--ramp-factor",
    type=click.FloatRange(min=1),
    help="Refuse (BurstRate) more than so many times the requests of ten seconds ago  [default: never].",
)
@click.option(
    "--max-chars",
    type=click.IntRange(min=0),
    default=600,
    show_default=True,
    help="Refuse longer texts; 0 takes any length.",
)
def qwen(
    as_json: bool,
    until_stdin_closes: bool,
    retired: tuple[str, ...],
    region_keys: tuple[str, ...],
    max_chars: int,
    audio_port: int | None,
    **options: Any,
) -> None:
    """Stand in for the official Qwen API (DashScope)."""
    from harness.emulators.server import running_qwen

    if audio_port is None:
        audio_port = _AUDIO_PORT if options["port"] else 0
    chosen = QwenOptions(
        retired=frozenset(retired),
        region_keys=frozenset(map(_region_key, region_keys)),
        max_chars=max_chars or None,
        audio_port=audio_port,
        **options,
    )
    advice = partial(_qwen_advice, options=chosen)
    _serve(running_qwen(chosen), advice, as_json=as_json, until_stdin_closes=until_stdin_closes)


def _region_key(text: str) -> tuple[str, str]:
    region, separator, key = text.partition("=")
    if not (region and separator and key):
        raise click.UsageError(f"--region-key {text}: write it as REGION=KEY")
    return region, key


@emulate.command(epilog="Example: cutover emulate modal --time-scale 0.02 --account data/local/modal.jsonl")
@_common(_MODAL_PORT)
@click.option("--key", help="Ask for this Modal-Key; needs --secret.")
@click.option("--secret", help="Ask for this Modal-Secret.")
@click.option(
    "--model",
    type=click.Choice(list(DEPLOYMENTS)),
    default=ModalOptions().model,
    show_default=True,
    help="Whose measured latency to take.",
)
@click.option(
    "--dialect",
    type=click.Choice([dialect.value for dialect in Dialect]),
    default=Dialect.ENDPOINTS.value,
    show_default=True,
    help="endpoints: an app of one's own; openai: vLLM-Omni's API.",
)
@click.option("--api-key", help="Ask for this key too, as vLLM does; with --dialect openai.")
def modal(
    as_json: bool, until_stdin_closes: bool, key: str | None, secret: str | None, dialect: str, **options: Any
) -> None:
    """Stand in for the legacy path: open Qwen3-TTS, self-hosted on Modal."""
    from harness.emulators.server import running_modal

    if (key is None) != (secret is None):
        raise click.UsageError("--key and --secret belong together; give both or neither")
    chosen = ModalOptions(key=key, secret=secret, dialect=Dialect(dialect), **options)
    _serve(
        running_modal(chosen),
        partial(_modal_advice, options=chosen),
        as_json=as_json,
        until_stdin_closes=until_stdin_closes,
    )


def _serve(
    starting: "AbstractAsyncContextManager[Standin]",
    advice: "Callable[[Standin], str]",
    *,
    as_json: bool,
    until_stdin_closes: bool,
) -> None:
    """Run a stand-in until a signal, or until stdin ends."""

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if until_stdin_closes:
            # A daemon: a thread that still reads must not keep a stopped stand-in alive.
            threading.Thread(target=_wait_for_end_of_stdin, args=(loop, stop), daemon=True).start()
        async with starting as standin:
            addresses = {"base_url": standin.base_url, "audio_url": standin.audio_url}
            click.echo(json.dumps(addresses) if as_json else " ".join(filter(None, addresses.values())))
            sys.stdout.flush()
            click.echo(advice(standin), err=True)
            await stop.wait()

    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(serve())


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop that leaves most of the machine to the program under test; the standard one where there is none."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _qwen_advice(standin: "Standin", *, options: QwenOptions) -> str:
    own = [key for region, key in sorted(options.region_keys) if region == options.region]
    key = next(iter(own), options.api_key or "sk-stand-in")
    hosts = ",".join(url.removeprefix("http://") for url in (standin.base_url, standin.audio_url) if url)
    return (
        "Use it from another terminal with\n"
        f"  export CUTOVER_QWEN__BASE_URL={standin.base_url} CUTOVER_QWEN__API_KEY={key}\n"
        "  export CUTOVER_QWEN__ALLOW_VOICE_CREATION=1  # a voice costs nothing here\n"
        f"  export CUTOVER_ALLOW_HOSTS={hosts}  # with the other stand-in's addresses, separated by commas\n"
        "Next: cutover emulate modal"
    )


def _modal_advice(standin: "Standin", *, options: ModalOptions) -> str:
    keys = {"KEY": options.key, "SECRET": options.secret, "API_KEY": options.api_key}
    exports = "".join(f" CUTOVER_MODAL__{name}={value}" for name, value in keys.items() if value)
    return (
        "Use it from another terminal with\n"
        f"  export CUTOVER_MODAL__BASE_URL={standin.base_url} CUTOVER_MODAL__DIALECT={options.dialect}{exports}\n"
        f"  export CUTOVER_ALLOW_HOSTS={standin.base_url.removeprefix('http://')}"
        "  # with the other stand-in's addresses, separated by commas\n"
        "Next: cutover replay CAPTURES"
    )
