"""DNSMOS: what listeners would say of speech, background and the whole, by two small networks of Microsoft's.

Advisory only: dropped words and cut tails leave it unmoved (audio.md 3d). The steps are those of the `speechmos`
package, which a test compares with; two changes: at most three windows, evenly spread, and a sound over full scale is
brought down to it, where the package refuses it.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from librosa.core.spectrum import power_to_db, stft
from librosa.filters import mel

from analysis.audio import FloatArray
from analysis.models.optional import library

__all__ = ["RATE_HZ", "Dnsmos"]

RATE_HZ: Final = 16_000
_WINDOW: Final = int(9.01 * RATE_HZ)
_MOST_WINDOWS: Final = 3
_OPINIONS: Final = ("speech", "background", "overall", "p808")
# Polynomials, highest power first, from what the networks say to the scale of the listeners (DNSMOS P.835).
_SPEECH: Final = (-0.08397278, 1.22083953, 0.0052439)
_BACKGROUND: Final = (-0.13166888, 1.60915514, -0.39604546)
_OVERALL: Final = (-0.06766283, 1.11546468, 0.04602535)


class Dnsmos:
    """Both networks, loaded once a process."""

    def __init__(self, p835: Path, p808: Path) -> None:
        """Load the graphs.

        Raises:
            UsageError: `onnxruntime` is not installed.
        """
        runtime = library("onnxruntime", extra="background")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._p835: Any
        self._p808: Any
        self._p835, self._p808 = (
            runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]) for path in (p835, p808)
        )

    def score(self, y: FloatArray) -> dict[str, float]:
        """Opinions from 1 to 5 of mono samples at `RATE_HZ`, at least one: speech, background, overall, p808."""
        said = [self._opinions(window) for window in _windows(y / np.float32(max(1.0, float(np.abs(y).max()))))]
        means = np.array(said).mean(axis=0)
        return {name: float(mean) for name, mean in zip(_OPINIONS, means, strict=True)}

    def _opinions(self, window: FloatArray) -> list[float]:
        ((speech, background, overall),) = self._p835.run(None, {"input_1": window[np.newaxis]})[0]
        ((p808,),) = self._p808.run(None, {"input_1": _mels(window[:-160])[np.newaxis]})[0]
        raw = ((_SPEECH, speech), (_BACKGROUND, background), (_OVERALL, overall))
        return [*(float(np.polyval(polynomial, value)) for polynomial, value in raw), float(p808)]


def _windows(y: FloatArray) -> list[FloatArray]:
    """Stretches of 9.01 s; a shorter sound is said again until it fills one."""
    while len(y) < _WINDOW:
        y = np.concatenate([y, y])
    hops = len(y) // RATE_HZ - 9  # whole seconds at which a window may begin, as the package counts them
    starts = sorted({round(start) for start in np.linspace(0, max(0, hops - 1), min(_MOST_WINDOWS, max(1, hops)))})
    return [y[start * RATE_HZ : start * RATE_HZ + _WINDOW] for start in starts]


def _mels(y: FloatArray) -> FloatArray:
    power = mel(sr=RATE_HZ, n_fft=321, n_mels=120) @ np.square(np.abs(stft(y, n_fft=321, hop_length=160)))
    scaled: FloatArray = ((power_to_db(power, ref=np.max) + 40) / 40).T.astype(np.float32)
    return scaled
