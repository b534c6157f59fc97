"""Where the stand-ins' audio is made: one thread beside the event loop, so that no reply waits for a rendering."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, TypeVar

import numpy as np

from harness.emulators.audio import RATE_HZ, Samples, encode_wav
from harness.emulators.espeak import espeak
from harness.emulators.scenarios import Damage
from harness.emulators.timbres import CAST, Timbre
from harness.emulators.voices import Line, speak

__all__ = ["Studio", "perform", "record"]

_KEPT_OF_TRUNCATED: Final = 0.45  # share of the audio
_OVERDRIVE: Final = 12.0  # factor: two samples in five hit the rail
_SAMPLES_A_TOKEN: Final = 1_920  # 12.5 tokens a second (providers.md B2)

Result = TypeVar("Result")


class Studio:
    """One worker. Use with `async with`."""

    async def __aenter__(self) -> Self:
        """Load espeak-ng.

        Raises:
            ConfigError: It is not installed.
        """
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="studio")
        try:
            await self.run(espeak)
        except BaseException:
            self._worker.shutdown()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.shutdown(cancel_futures=True)

    def run(self, function: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Do something there."""
        return asyncio.get_running_loop().run_in_executor(self._worker, function)


def record(line: Line, *, damage: Damage | None = None, max_tokens: int | None = None) -> bytes:
    """The line as a WAV file.

    Args:
        line: What to speak.
        damage: What shall be wrong with it.
        max_tokens: The speech is cut without a word where a model would have said so many tokens.
    """
    samples = perform(line, damage)
    return encode_wav(samples[: max_tokens * _SAMPLES_A_TOKEN] if max_tokens else samples)


def perform(line: Line, damage: Damage | None) -> Samples:
    """The line, with what shall be wrong with it."""
    match damage:
        case Damage.WRONG_VOICE:
            return speak(replace(line, timbre=_somebody_else(line)))
        case Damage.TRUNCATED:
            whole = speak(line)
            return whole[: int(_KEPT_OF_TRUNCATED * len(whole))]
        case Damage.CLIPPED:
            driven: Samples = np.clip(_OVERDRIVE * speak(line), -1.0, 1.0)
            return driven
        case Damage.SILENT:
            return np.zeros(max(RATE_HZ // 10, len(speak(line))), dtype=np.float32)
        case None:
            return speak(line)


def _somebody_else(line: Line) -> Timbre:
    """The member of the cast whose pitch is farthest away."""
    own = np.log(line.timbre.median_hz)
    return max(CAST.values(), key=lambda timbre: abs(np.log(timbre.median_hz) - own))
