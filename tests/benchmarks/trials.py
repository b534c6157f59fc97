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


def trial(job: tuple[int, int, int]) -> Distances:
    """How far the two sounds of one pair lie apart, by every feature; runs in a worker.

    Args:
        job: Which line, which defect (-1 for none), and which of its strengths.
    """
    number, defect, strength = job
    control, other = (replace(lines()[number], take=2 * number + side) for side in (0, 1))
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
