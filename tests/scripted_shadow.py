"""The process of a shadow over a scripted provider; `ShadowProcess(command=behaving("crashes"))` starts it.

    python -m tests.scripted_shadow NAME

NAME says what becomes of copies: `healthy` ones are answered after 50 ms, `hangs` never, `floods` at once, `crashes`
raises in the provider, `dies` kills the process, `stops` blocks it for good, and `never starts` has no shadow at all.
"""

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from harness.clock import Clock
from harness.config import Settings
from harness.errors import ConfigError
from harness.exchanges import Exchange
from harness.gateway.shadow import Shadow
from harness.gateway.shadow_main import main
from harness.gateway.shadow_wire import Begin
from harness.processes import END_WITH_PARENT
from harness.speech import SpeechRequest
from tests.builders import an_exchange
from tests.harness.gateway.copying import a_shadow
from tests.scripted import ScriptedProvider

__all__ = ["behaving"]

_HEALTHY_S: Final = 0.05
_NUMBERS: Final = itertools.count()


def behaving(name: str) -> tuple[str, ...]:
    """The command for a process that does so."""
    return sys.executable, "-m", "tests.scripted_shadow", name


def _speak(_: SpeechRequest) -> Exchange:
    # No two answers of a provider are alike, or the store would have the second one already.
    return an_exchange(provider="qwen", audio=b"a" * 100_000 + next(_NUMBERS).to_bytes(8))


def _crash(_: SpeechRequest) -> Exchange:
    raise RuntimeError("a bug in the adapter")


def _die(_: SpeechRequest) -> Exchange:
    os.kill(os.getpid(), signal.SIGKILL)
    return _speak(_)


def _block(_: SpeechRequest) -> Exchange:
    time.sleep(3_600)
    return _speak(_)


_ANSWERS: Final[dict[str, Callable[[SpeechRequest], Exchange]]] = {"crashes": _crash, "dies": _die, "stops": _block}
_LATENCIES_S: Final = {"healthy": _HEALTHY_S, "hangs": 3_600.0}


def _scripted(name: str, begin: Begin, clock: Clock) -> Shadow:
    if name == "never starts":
        raise ConfigError("CUTOVER_PRICES: there is no such file")
    settings = Settings.model_validate(begin.settings)
    qwen = ScriptedProvider(
        "qwen", clock=clock, latency_s=_LATENCIES_S.get(name, 0.0), answer=_ANSWERS.get(name, _speak)
    )
    limits = settings.gateway.shadow.model_dump()
    return a_shadow(settings.home, clock, qwen=qwen, quota=settings.qwen.quota, processes=begin.processes, **limits)


if __name__ == "__main__":
    if END_WITH_PARENT is not None:
        END_WITH_PARENT()  # also while it is stopped
    main(partial(_scripted, sys.argv[1]))
