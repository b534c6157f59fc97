"""The door to the stand-ins: start one, talk to it over real sockets, and have it gone at the end.

async with running_qwen(QwenOptions(scenario="flaky")) as standin:
    ...  # standin.base_url, standin.audio_url, standin.account
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass

from harness.clock import Clock, SystemClock
from harness.emulators.account import Account
from harness.emulators.faults import Script, read_script
from harness.emulators.faulty import modal_script, qwen_script
from harness.emulators.modal import modal_application
from harness.emulators.options import ModalOptions, QwenOptions, StandinOptions
from harness.emulators.qwen import qwen_application
from harness.emulators.qwen_results import Results
from harness.emulators.sites import application, site
from harness.emulators.studio import Studio

__all__ = ["ModalOptions", "QwenOptions", "Standin", "running_modal", "running_qwen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standin:
    """A stand-in that is running."""

    base_url: str
    audio_url: str | None  # where Qwen's results lie; None for Modal
    account: Account
    script: Script  # of faults; what is left of it


@asynccontextmanager
async def running_qwen(options: QwenOptions | None = None, *, clock: Clock | None = None) -> AsyncIterator[Standin]:
    """The stand-in for the official Qwen API.

    Raises:
        UsageError: A port is taken, the scenario unknown, or the fault script wrong.
        ConfigError: espeak-ng is not installed, or the account file unusable.
    """
    options = options or QwenOptions()
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        account = stack.enter_context(closing(Account(options.account)))
        studio = await stack.enter_async_context(Studio())
        results = Results(lifetime_s=options.url_lifetime_s, clock=clock)
        script = _begun(qwen_script(), options)
        app = qwen_application(options, account=account, studio=studio, results=results, script=script, clock=clock)
        base_url = await stack.enter_async_context(site(app, port=options.port, option="--port"))
        audio = application(account, results.routes(), layers=[results.faulty(script)], max_body_bytes=1 << 10)
        results.base_url = await stack.enter_async_context(site(audio, port=options.audio_port, option="--audio-port"))
        yield Standin(base_url=base_url, audio_url=results.base_url, account=account, script=script)


@asynccontextmanager
async def running_modal(options: ModalOptions | None = None, *, clock: Clock | None = None) -> AsyncIterator[Standin]:
    """The stand-in for the legacy path.

    Raises:
        UsageError: The port is taken, the scenario or model unknown, or the fault script wrong.
        ConfigError: espeak-ng is not installed, or the account file unusable.
    """
    options = options or ModalOptions()
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        account = stack.enter_context(closing(Account(options.account)))
        studio = await stack.enter_async_context(Studio())
        script = _begun(modal_script(), options)
        app = modal_application(options, account=account, studio=studio, script=script, clock=clock)
        base_url = await stack.enter_async_context(site(app, port=options.port, option="--port"))
        yield Standin(base_url=base_url, audio_url=None, account=account, script=script)


def _begun(script: Script, options: StandinOptions) -> Script:
    if options.faults is not None:
        script.begin_with(read_script(options.faults))
    return script
