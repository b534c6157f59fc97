"""The table of scorers: what each model tells about a sound, what it needs, and what it cannot hear.

Every number that a model gives carries the version found here, so that scores of two versions are never taken for the
same measure. Figures are those of audio.md section 3: small sets, one machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Final

from analysis.extractor import version_of
from harness.errors import UsageError

__all__ = ["ADVISORY", "SCORERS", "Scorer", "chosen_scorers", "scorer_version"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """One model, or several that belong together."""

    name: str
    tells: str
    extra: str  # of our own package: `pip install 'voice-cutover[…]'`
    libraries: tuple[str, ...]  # distributions whose version could change a score
    modules: tuple[str, ...]  # of `analysis`, that a score comes from
    weights: tuple[str, ...]  # names in `weights`; empty where a library brings its own
    licence: str  # of the weights
    realtime_factor: float  # seconds of one core for one second of sound
    languages: str
    blind_spots: tuple[str, ...]
    is_advisory: bool  # too weak a witness to block anything
    caution: str | None = None  # what to know before its libraries are installed


_SOUND: Final = ("audio", "containers", "silence", "models/reading")

SCORERS: Final = MappingProxyType(
    {
        scorer.name: scorer
        for scorer in (
            Scorer(
                name="similarity",
                tells="how alike two voices are: cosine of GE2E embeddings, 1 is the same",
                extra="similarity",
                libraries=("librosa", "numpy", "onnxruntime", "soxr"),
                modules=(*_SOUND, "models/encoder_graph", "models/speaker"),
                weights=("ge2e",),
                licence="Apache-2.0",
                realtime_factor=0.0041,
                languages="trained on English; Spanish by the same speaker scored 0.83 where English scored 0.94",
                blind_spots=(
                    "words, noise and loudness",
                    "two speakers of the same sex and band: 0.55 to 0.86 between different synthetic voices",
                    "voices under 1.6 s, which are filled up with silence",
                ),
                is_advisory=False,
            ),
            Scorer(
                name="intelligibility",
                tells="words (or characters) that a transcriber hears otherwise than they were asked for, as a share",
                extra="intelligibility",
                libraries=("ctranslate2", "faster-whisper", "soxr"),
                modules=(*_SOUND, "models/whisper"),
                weights=("whisper",),
                licence="MIT",
                realtime_factor=0.12,
                languages="measured on human speech: it and ru usable, es and fr weak; zh, ja, ko, de, pt not measured",
                blind_spots=(
                    "its own floor of 2 to 25 % errors: only differences between two renderings of one text mean "
                    "anything",
                    "Japanese spelt in kanji or kana counts as different",
                    "digits in Chinese are compared as they are written, unless cn2an is installed",
                    "hears words in noise that are not there",
                ),
                is_advisory=False,
            ),
            Scorer(
                name="background",
                tells="DNSMOS P.835: predicted opinion of speech, background and the whole, 1 to 5",
                extra="background",
                libraries=("librosa", "numpy", "onnxruntime", "soxr"),
                modules=(*_SOUND, "models/dnsmos"),
                weights=("dnsmos",),
                licence="MIT",
                realtime_factor=0.026,
                languages="any; trained on telephone conferences",
                blind_spots=(
                    "dropped words, cut tails, repeats, gaps and band limits leave it unmoved",
                    "a robot's voice (espeak, 2.99) scores near a recorded human's (3.13 to 3.31)",
                ),
                is_advisory=True,
            ),
            Scorer(
                name="naturalness",
                tells="DistillMOS: predicted opinion of how natural it sounds, 1 to 5",
                extra="naturalness",
                libraries=("distillmos", "torch", "numpy", "soxr"),
                modules=(*_SOUND, "models/distillmos"),
                weights=(),
                licence="MIT",
                realtime_factor=0.082,
                languages="any; three Japanese clips scored like English ones",
                blind_spots=(
                    "words: a dropped stretch, a cut tail or a repeat costs 0.2 to 0.6",
                    "trained on codecs and enhancement, not on speech that was synthesised",
                ),
                is_advisory=True,
                # A resolver left alone took torch 2.15 with torchaudio 2.11 from PyPI (November 2026), whose wheels
                # for Linux bring CUDA, 423 MB for its linear algebra alone.
                caution="torch and torchaudio must be of one release: install the extra, which pins them; on Linux "
                "they bring gigabytes of CUDA",
            ),
        )
    }
)
ADVISORY: Final = frozenset(name for name, scorer in SCORERS.items() if scorer.is_advisory)


def chosen_scorers(words: Iterable[str]) -> tuple[Scorer, ...]:
    """The scorers that a person named, in the order of the table; each word may hold several, with commas.

    Raises:
        UsageError: There is none of that name.
    """
    names = {name.strip() for word in words for name in word.split(",")} - {""}
    unknown = sorted(names - SCORERS.keys())
    if unknown:
        raise UsageError(f"{unknown[0]}: no such model; there are {', '.join(SCORERS)} (`cutover models list`)")
    return tuple(scorer for name, scorer in SCORERS.items() if name in names)


def scorer_version(scorer: Scorer, weights_sha256: Iterable[str]) -> str:
    """Twelve hexadecimal digits that change whenever a score of it could."""
    here = Path(__file__).parents[1]
    return version_of(
        [(here / f"{module}.py").read_bytes() for module in scorer.modules],
        [*(f"{name}=={_version(name)}" for name in scorer.libraries), *weights_sha256],
    )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"
