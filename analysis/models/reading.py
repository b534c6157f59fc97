"""What a worker process of the model tier does: one model over one stored audio.

Imported in workers only, it is heavy. Models are loaded once a process, when they are first asked for.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

# As in `measuring`: one thread a process.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

from analysis.audio import FloatArray, decode  # noqa: E402 - see above
from analysis.features import MIN_SPEECH_S  # noqa: E402
from analysis.models.distillmos import DistillMos  # noqa: E402
from analysis.models.dnsmos import Dnsmos  # noqa: E402
from analysis.models.speaker import SpeakerEncoder  # noqa: E402
from analysis.models.voiceprint import packed  # noqa: E402
from analysis.models.whisper import Whisper  # noqa: E402
from analysis.silence import find_activity  # noqa: E402
from harness.errors import ErrorKind, StoreError, UndecodableAudio, UsageError  # noqa: E402
from harness.exchanges import OK  # noqa: E402
from harness.store.blobs import BlobStore  # noqa: E402

__all__ = ["RATE_HZ", "Job", "Value", "read_blob", "read_sound"]

# Scorer, folder of models, store's folder, the audio's SHA-256, its extension, its language.
Job = tuple[str, str, str, str, str, str | None]
Value = dict[str, Any]

RATE_HZ: Final = 16_000  # what all of them were trained at


def read_blob(job: Job) -> Value:
    """What one model says of one stored audio.

    Returns:
        `outcome`, and with `ok` what the model says: `embedding` (see `voiceprint`), `text` and `language`, or opinions
        by name; else `reason`. Or only `lost` or `failed`, a sentence: the store does not have the audio as it was
        put there, or the model's library does not load here.
    """
    scorer, models, root, sha256, extension, language = job
    try:
        data = BlobStore(Path(root)).get(sha256, extension)
    except StoreError as error:
        return {"lost": str(error)}
    try:
        return {"outcome": OK, **read_sound(scorer, decode(data).mono_at(RATE_HZ), Path(models), language)}
    except UndecodableAudio as error:
        return {"outcome": error.kind.value, "reason": str(error)}
    except UsageError as error:  # a library that does not load says nothing about the sound
        return {"failed": str(error)}
    except Exception as error:  # noqa: BLE001 - one audio that trips a model must not stop the others
        return {"outcome": ErrorKind.INTERNAL.value, "reason": f"{scorer} failed: {type(error).__name__}: {error}"}


def read_sound(scorer: str, y: FloatArray, models: Path, language: str | None) -> Value:
    """What one model says of mono samples at `RATE_HZ`.

    Raises:
        UndecodableAudio: There is no speech in them: no model was made to be asked about that.
        UsageError: The model's library does not load here.
    """
    if find_activity(y, rate_hz=RATE_HZ).active_s < MIN_SPEECH_S:
        raise UndecodableAudio("the audio holds no speech", ErrorKind.EMPTY_AUDIO)
    return _READERS[scorer](y, models, language)


def _voice(y: FloatArray, models: Path, language: str | None) -> Value:
    return {"embedding": packed(_encoder(models / "ge2e" / "ge2e.onnx").embed(y))}


def _words(y: FloatArray, models: Path, language: str | None) -> Value:
    transcript = _whisper(models / "whisper").transcribe(y, language)
    return {"text": transcript.text, "language": transcript.language}


def _background(y: FloatArray, models: Path, language: str | None) -> Value:
    return {**_dnsmos(models / "dnsmos").score(y)}


def _naturalness(y: FloatArray, models: Path, language: str | None) -> Value:
    return {**_distillmos().score(y)}


_READERS: Final = MappingProxyType[str, Callable[[FloatArray, Path, str | None], Value]](
    {"similarity": _voice, "intelligibility": _words, "background": _background, "naturalness": _naturalness}
)


@cache
def _encoder(graph: Path) -> SpeakerEncoder:
    return SpeakerEncoder(graph)


@cache
def _whisper(folder: Path) -> Whisper:
    return Whisper(folder)


@cache
def _dnsmos(folder: Path) -> Dnsmos:
    return Dnsmos(folder / "sig_bak_ovr.onnx", folder / "model_v8.onnx")


@cache
def _distillmos() -> DistillMos:
    return DistillMos()
