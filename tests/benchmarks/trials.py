"""One trial of the hearing bench: two takes of a line, the second clean or damaged, and how far features lie apart.

Apart from `hearing`, as workers import it.
"""

import math
import os
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
import soxr  # noqa: E402

from analysis.audio import decode  # noqa: E402
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
# Ratios and frequencies are compared by their logarithms, everything else by differences.
_RATIOS = {name for name in (*TABLES["features"].names, *MEASURED) if name.endswith(("_hz", "_s", "_ratio"))}
_SCALARS = tuple(column.name for column in TABLES["features"].columns if column.type == "DOUBLE")
_LISTS = ("mfcc_mean", "mfcc_std")
FEATURES = (*_SCALARS, *_LISTS, "dc_offset", *MEASURED)
Distances = dict[str, float]


@cache
def lines() -> list[Line]:
    """Every sentence of the demo without slots, in turn by another voice, mixed."""
    texts = [
        (language, text)
        for language in LANGUAGES
        for text in tomllib.loads((TEXTS / f"{language}.toml").read_text())["previews"]
        if "{" not in text
    ]
    every = [
        Line(text=text, language=language, timbre=timbre, rendition=Rendition.HOSTED, take=0)
        for language, text in texts
        for timbre in CAST.values()
    ]
    return [every[index] for index in np.random.default_rng(7).permutation(len(every))]


@cache
def unseen_lines() -> list[Line]:
    """Sentences that no limit was set and no feature chosen on, in turn by another voice, mixed."""
    found = []
    for language in LANGUAGES:
        book = tomllib.loads((TEXTS / f"{language}.toml").read_text())
        texts = [text for scene in book["lines"].values() for text in scene] + book["clone_references"]
        found += [(language, text) for text in texts if "{" not in text and len(text) > 30]
    every = [
        Line(text=text, language=language, timbre=timbre, rendition=Rendition.HOSTED, take=0)
        for language, text in found
        for timbre in CAST.values()
    ]
    return [every[index] for index in np.random.default_rng(8).permutation(len(every))]


@cache
def recordings(*, wide: bool = False) -> tuple[Path, ...]:
    """People recorded, where Debian's packages with them are installed; 2 to 12 s each, mixed.

    Args:
        wide: Only those that reach beyond the band of a telephone.
    """
    found = [path for folder in RECORDED for path in sorted(folder.rglob("*.wav")) if path.parent.name != "silence"]
    about = {path: soundfile.info(path) for path in found}
    fitting = [path for path in found if 2.0 < about[path].duration < 12.0]
    fitting = [path for path in fitting if not wide or about[path].samplerate >= 16_000]
    return tuple(fitting[index] for index in np.random.default_rng(9).permutation(len(fitting)))


def human_trial(job: tuple[int, int, int]) -> Distances:
    """As `trial`, of a recording and the same recording damaged: nobody said it twice."""
    number, defect, strength = job
    planted = DEFECTS[defect]
    y, rate_hz = soundfile.read(recordings(wide=planted.is_of_the_band)[number], dtype="float32")
    clean = soxr.resample(y, rate_hz, RATE_HZ)
    assert planted.damage is not None
    damaged = planted.damage(clean, planted.strengths[strength], np.random.default_rng(number)).astype(np.float32)
    return distances(*(decode(a_file(sound, rate_hz=RATE_HZ)) for sound in (clean, damaged)))


def unseen_trial(job: tuple[int, int, int]) -> Distances:
    """As `trial`, of sentences that were kept back; takes that nobody has heard either."""
    return _pair(unseen_lines()[job[0] % len(unseen_lines())], 100_000 + job[0], job)


def trial(job: tuple[int, int, int]) -> Distances:
    """How far the two sounds of one pair lie apart, by every feature; runs in a worker.

    Args:
        job: Which line, which defect (-1 for none), and which of its strengths.
    """
    return _pair(lines()[job[0]], job[0], job)


def _pair(line: Line, take: int, job: tuple[int, int, int]) -> Distances:
    number, defect, strength = job
    control, other = (replace(line, take=2 * take + side) for side in (0, 1))
    if defect < 0:
        damaged = speak(other)
    else:
        planted = DEFECTS[defect]
        damaged = planted.render(other, planted.strengths[strength], np.random.default_rng(number))
    return distances(*(decode(a_file(y, rate_hz=RATE_HZ)) for y in (speak(control), damaged)))


def distances(control: Any, other: Any) -> Distances:
    ours, theirs = features_of(control), features_of(other)
    if theirs["outcome"] != "ok":
        return dict.fromkeys(FEATURES, 0.0) | {"outcome": math.inf}
    found = {name: apart(name, ours[name], theirs[name]) for name in (*_SCALARS, *_LISTS)}
    found["dc_offset"] = abs(theirs["more"]["dc_offset"] - ours["more"]["dc_offset"])
    likeness = likeness_of(control, other)
    found |= {name: size(name, likeness[name]) for name in MEASURED}
    return found | {"outcome": 0.0}


def apart(name: str, ours: Any, theirs: Any) -> float:
    if ours is None or theirs is None:
        return 0.0  # what could not be measured tells nothing
    if name in _RATIOS:
        return abs(math.log(max(theirs, 0.01)) - math.log(max(ours, 0.01)))  # silences can be 0; a block is 0.01 s
    return float(np.linalg.norm(np.asarray(theirs) - np.asarray(ours)))


def size(name: str, value: float | None) -> float:
    if value is None:
        return 0.0
    return abs(math.log(value)) if name in _RATIOS else abs(value)
