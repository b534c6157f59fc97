"""The models in the hearing bench: on which pairs each is asked, and how far two sounds lie apart by what it says.

Apart from `hearing`, as workers import it. A model is dear, so each is asked about as many pairs as it is cheap and
about defects that could move it, a transcriber only in the language it hears best.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from analysis.models.error_rate import error_rate
from analysis.models.reading import RATE_HZ, read_sound
from analysis.models.voiceprint import cosine, unpacked
from harness.errors import UndecodableAudio
from tests.benchmarks.trials import SOURCES, Sounds

Distances = dict[str, float]
Said = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """How one model takes part."""

    measures: tuple[str, ...]  # names of its distances
    clean: int  # pairs that set its limits; as many others count false alarms
    damaged: int  # pairs of each defect
    defects: frozenset[str]  # that could move what it says
    language: str | None = None  # of the lines; None: all


_OF_WORDS: Final = frozenset({"dropped stretch", "words left out", "words swapped"})
_OF_VOICES: Final = frozenset({"another speaker", "higher pitch", "wrong rate", "less melody", "faster", "slower"})
_OF_SOUND: Final = frozenset(
    {
        "white noise",
        "mains hum",
        "overdriven to full scale",
        "clipped, level kept",
        "low pass",
        "high pass",
        "ten gaps",
        "aliased",
        "fewer bits",
        "Opus",
        "telephone, mu-law",
    }
)
LISTENERS: Final = MappingProxyType(
    {
        "similarity": Listener(measures=("similarity",), clean=200, damaged=40, defects=_OF_VOICES | _OF_SOUND),
        "intelligibility": Listener(measures=("word_errors",), clean=100, damaged=20, defects=_OF_WORDS, language="en"),
        "background": Listener(
            measures=("speech", "background", "overall", "p808"), clean=100, damaged=20, defects=_OF_SOUND
        ),
        "naturalness": Listener(measures=("naturalness",), clean=100, damaged=20, defects=_OF_SOUND),
    }
)


def listen(question: tuple[str, str, str, int, int, int]) -> Distances:
    """How far the two sounds of one pair lie apart, by what a model says; runs in a worker.

    Args:
        question: The scorer, the folder of models, one of `SOURCES`, then a job.
    """
    scorer, models, source, *job = question
    listener = LISTENERS[scorer]
    sounds = SOURCES[source]((job[0], job[1], job[2]), listener.language)
    try:
        said = [
            read_sound(scorer, audio.mono_at(RATE_HZ), Path(models), sounds.language)
            for audio in (sounds.control, sounds.other)
        ]
    except UndecodableAudio:  # no speech is left: that is heard without a model
        return dict.fromkeys(listener.measures, math.inf)
    return _APART[scorer](said[0], said[1], sounds)


def _voices(ours: Said, theirs: Said, sounds: Sounds) -> Distances:
    return {"similarity": 1.0 - cosine(unpacked(ours["embedding"]), unpacked(theirs["embedding"]))}


def _words(ours: Said, theirs: Said, sounds: Sounds) -> Distances:
    """How much more of the text was heard otherwise; hearing it better is no defect."""
    errors = [error_rate(sounds.text or "", said["text"], sounds.language) for said in (ours, theirs)]
    return {"word_errors": max(0.0, errors[1].share - errors[0].share) if errors[0] and errors[1] else 0.0}


def _opinions(ours: Said, theirs: Said, sounds: Sounds) -> Distances:
    return {name: abs(theirs[name] - ours[name]) for name in ours}


_APART: Final = MappingProxyType[str, Callable[[Said, Said, Sounds], Distances]](
    {"similarity": _voices, "intelligibility": _words, "background": _opinions, "naturalness": _opinions}
)
