"""One trial of the hearing bench: two takes of a line, the second clean or damaged, and how far features lie apart.

Apart from `hearing`, as workers import it.
"""

import math
import os
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
import soxr  # noqa: E402

from analysis.audio import Audio, decode  # noqa: E402
from analysis.features import features_of  # noqa: E402
from analysis.likeness import MEASURED, likeness_of  # noqa: E402
from harness.emulators.audio import RATE_HZ  # noqa: E402
from harness.emulators.timbres import CAST  # noqa: E402
from harness.emulators.voices import Line, Rendition, speak  # noqa: E402
from harness.store.schema import TABLES  # noqa: E402
from tests.analysis.sounds import a_file  # noqa: E402
from tests.benchmarks.defects import DEFECTS  # noqa: E402

TEXTS = Path(__file__).parents[2] / "data" / "demo" / "texts"
# asterisk-core-sounds-en-wav: one woman, a studio, telephone band; pocketsphinx-testdata: people at home, 16 kHz.
RECORDED = (Path("/usr/share/asterisk/sounds/en_US_f_Allison"), Path("/usr/share/pocketsphinx/test/data"))
LANGUAGES = ("de", "en", "es", "fr", "it", "pt", "ru")  # words are told by spaces, which two of the defects need
# Ratios, frequencies and lengths of speech are compared by their logarithms, everything else by differences; silences
# both ways, as a gate may: from a tenth of a second to none is a great step, from none to a hundredth is not.
_RATIOS = {name for name in (*TABLES["features"].names, *MEASURED) if name.endswith(("_hz", "_ratio"))} | {
    "duration_s",
    "active_s",
    "syllables_per_s",
}
_SCALARS = tuple(column.name for column in TABLES["features"].columns if column.type == "DOUBLE")
_SILENCES = ("leading_silence_s", "trailing_silence_s", "longest_silence_s")
_LISTS = ("mfcc_mean", "mfcc_std")
FEATURES = (*_SCALARS, *(f"{name} ratio" for name in _SILENCES), *_LISTS, "dc_offset", *MEASURED)
Distances = dict[str, float]
Job = tuple[int, int, int]  # which line or recording, which defect (-1 for none), which of its strengths


class Sounds(NamedTuple):
    """What is compared."""

    control: Audio
    other: Audio
    text: str | None  # that both should say
    language: str | None


@cache
def lines(language: str | None = None) -> list[Line]:
    """Every sentence of the demo without slots, in turn by another voice, mixed; of one language or of all."""
    texts = [
        (code, text)
        for code in LANGUAGES
        for text in tomllib.loads((TEXTS / f"{code}.toml").read_text())["previews"]
        if "{" not in text
    ]
    return _mixed(texts, language, seed=7)


@cache
def unseen_lines(language: str | None = None) -> list[Line]:
    """Sentences that no limit was set and no feature chosen on, in turn by another voice, mixed."""
    found = []
    for code in LANGUAGES:
        book = tomllib.loads((TEXTS / f"{code}.toml").read_text())
        texts = [text for scene in book["lines"].values() for text in scene] + book["clone_references"]
        found += [(code, text) for text in texts if "{" not in text and len(text) > 30]
    return _mixed(found, language, seed=8)


def _mixed(texts: list[tuple[str, str]], language: str | None, *, seed: int) -> list[Line]:
    every = [
        Line(text=text, language=code, timbre=timbre, rendition=Rendition.HOSTED, take=0)
        for code, text in texts
        for timbre in CAST.values()
    ]
    mixed = [every[index] for index in np.random.default_rng(seed).permutation(len(every))]
    return [line for line in mixed if language in (None, line.language)]


@cache
def recordings(reach_hz: float = 0.0) -> tuple[Path, ...]:
    """People recorded, where Debian's packages with them are installed; 2 to 12 s each, mixed.

    Args:
        reach_hz: Only those that could hold a sound so high.
    """
    found = [path for folder in RECORDED for path in sorted(folder.rglob("*.wav")) if path.parent.name != "silence"]
    about = {path: soundfile.info(path) for path in found}
    fitting = [path for path in found if 2.0 < about[path].duration < 12.0]
    fitting = [path for path in fitting if about[path].samplerate / 2 > reach_hz]
    return tuple(fitting[index] for index in np.random.default_rng(9).permutation(len(fitting)))


def seen_sounds(job: Job, language: str | None = None) -> Sounds:
    """Two takes of a line that limits are set on, the second damaged where the job says so."""
    found = lines(language)
    return _takes(found[job[0] % len(found)], job[0], job)


def unseen_sounds(job: Job, language: str | None = None) -> Sounds:
    """The same of sentences that were kept back; takes that nobody has heard either."""
    found = unseen_lines(language)
    return _takes(found[job[0] % len(found)], 100_000 + job[0], job)


def human_sounds(job: Job, language: str | None = None) -> Sounds:
    """A recording, and the same recording damaged: nobody said it twice."""
    number, defect, strength = job
    planted = DEFECTS[defect]
    y, rate_hz = soundfile.read(recordings(planted.reach_hz[strength])[number], dtype="float32")
    clean = soxr.resample(y, rate_hz, RATE_HZ)
    assert planted.damage is not None
    damaged = planted.damage(clean, planted.strengths[strength], np.random.default_rng(number)).astype(np.float32)
    control, other = (decode(a_file(sound, rate_hz=RATE_HZ)) for sound in (clean, damaged))
    return Sounds(control, other, None, language)


def _takes(line: Line, take: int, job: Job) -> Sounds:
    number, defect, strength = job
    control, other = (replace(line, take=2 * take + side) for side in (0, 1))
    if defect < 0:
        damaged = speak(other)
    else:
        planted = DEFECTS[defect]
        damaged = planted.render(other, planted.strengths[strength], np.random.default_rng(number))
    ours, theirs = (decode(a_file(y, rate_hz=RATE_HZ)) for y in (speak(control), damaged))
    return Sounds(ours, theirs, line.text, line.language)


SOURCES: Final = MappingProxyType({"seen": seen_sounds, "unseen": unseen_sounds, "human": human_sounds})


def trial(question: tuple[str, int, int, int]) -> Distances:
    """How far the two sounds of one pair lie apart, by every feature; runs in a worker.

    Args:
        question: One of `SOURCES`, then a job.
    """
    source, *job = question
    control, other, *_ = SOURCES[source]((job[0], job[1], job[2]))
    return distances(control, other)


def distances(control: Audio, other: Audio) -> Distances:
    ours, theirs = features_of(control), features_of(other)
    if theirs["outcome"] != "ok":
        return dict.fromkeys(FEATURES, 0.0) | {"outcome": math.inf}
    found = {name: apart(name, ours[name], theirs[name]) for name in (*_SCALARS, *_LISTS)}
    found |= {f"{name} ratio": by_ratio(ours[name], theirs[name]) for name in _SILENCES}
    found["dc_offset"] = abs(theirs["more"]["dc_offset"] - ours["more"]["dc_offset"])
    likeness = likeness_of(control, other)
    found |= {name: size(name, likeness[name]) for name in MEASURED}
    return found | {"outcome": 0.0}


def apart(name: str, ours: Any, theirs: Any) -> float:
    if ours is None or theirs is None:
        return 0.0  # what could not be measured tells nothing
    if name in _RATIOS:
        return by_ratio(ours, theirs)
    return float(np.linalg.norm(np.asarray(theirs) - np.asarray(ours)))


def by_ratio(ours: float, theirs: float) -> float:
    return abs(math.log(max(theirs, 0.01)) - math.log(max(ours, 0.01)))  # silences can be 0; a block is 0.01 s


def size(name: str, value: float | None) -> float:
    if value is None:
        return 0.0
    return abs(math.log(value)) if name in _RATIOS else abs(value)
