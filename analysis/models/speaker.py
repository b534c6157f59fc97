"""Who is speaking, as a vector: the GE2E encoder over mel spectra.

Sound is prepared as for the encoder's training, with two changes. Every sound is brought to one level: the original
only ever raises it, so that 12 dB of gain alone cost 0.09 of likeness (audio.md, limits). And silence is what
`silence` finds, not what a telephone's detector does.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from librosa.core.spectrum import stft
from librosa.filters import mel

from analysis.audio import FloatArray
from analysis.models.encoder_graph import INPUT
from analysis.models.optional import library
from analysis.silence import BLOCK_S, find_activity

__all__ = ["RATE_HZ", "SpeakerEncoder", "mels_of", "prepared"]

RATE_HZ: Final = 16_000
_N_FFT: Final = 400  # 25 ms
_HOP: Final = 160  # 10 ms
_LEVEL_DB: Final = -30.0  # root mean square, full scale
_FRAMES: Final = 160  # of one look: 1.6 s, as in training
_STEP: Final = 77  # 1.3 looks a second
_LEAST_COVERAGE: Final = 0.75  # of the last look, that is sound
_KEPT_SILENCE_BLOCKS: Final = 9  # either side of speech: about what the original leaves


class SpeakerEncoder:
    """The encoder of one weights file, loaded once a process."""

    def __init__(self, graph: Path) -> None:
        """Load the graph.

        Raises:
            UsageError: `onnxruntime` is not installed.
        """
        runtime = library("onnxruntime", extra="similarity")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # the pool is as wide as the machine
        self._session: Any = runtime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def embed(self, y: FloatArray) -> FloatArray:
        """The voice in mono samples at `RATE_HZ` with speech in them; a vector of length 1."""
        (looks,) = self._session.run(None, {INPUT: mels_of(prepared(y))})
        mean: FloatArray = looks.mean(axis=0)
        voice: FloatArray = mean / np.maximum(np.linalg.norm(mean), np.finfo(np.float32).tiny)
        return voice


def prepared(y: FloatArray) -> FloatArray:
    """The speech of a sound at the level of training, long silences left out."""
    mask = find_activity(y, rate_hz=RATE_HZ).mask
    near = np.convolve(mask, np.ones(2 * _KEPT_SILENCE_BLOCKS + 1), mode="same") > 0
    kept = np.repeat(near, round(BLOCK_S * RATE_HZ))[: len(y)]
    speech = y[: len(kept)][kept]
    power = float(np.mean(np.square(speech), dtype=np.float64))
    return (speech * np.float32(10 ** (_LEVEL_DB / 20) / np.sqrt(max(power, 1e-20)))).astype(np.float32)


def mels_of(y: FloatArray) -> FloatArray:
    """Power in 40 mel bands, cut into looks of 1.6 s that overlap by half; shape (looks, 160, 40)."""
    frames = -(-(len(y) + 1) // _HOP)
    starts = list(range(0, max(1, frames - _FRAMES + _STEP + 1), _STEP))
    coverage = (len(y) - starts[-1] * _HOP) / (_FRAMES * _HOP)
    if coverage < _LEAST_COVERAGE and len(starts) > 1:
        starts.pop()
    filled = np.pad(y, (0, max(0, (starts[-1] + _FRAMES) * _HOP - len(y))))
    power = np.square(np.abs(stft(filled, n_fft=_N_FFT, hop_length=_HOP)))
    bands = (_filters() @ power).T.astype(np.float32)
    return np.stack([bands[start : start + _FRAMES] for start in starts])


@cache
def _filters() -> FloatArray:
    filters: FloatArray = mel(sr=RATE_HZ, n_fft=_N_FFT, n_mels=40)
    return filters
