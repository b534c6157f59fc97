"""People in the hearing bench: does the voice model tell one person from another who says something else?

That is how a cloned voice is held against the recording it was made from. Recordings are those of Debian's packages
asterisk-core-sounds-{en,es,fr,it,ru}-wav and pocketsphinx-testdata, all brought to a telephone's band: nobody should
be told by the microphone. Apart from `hearing`, as workers import it.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from analysis.models.reading import RATE_HZ, read_sound
from analysis.models.voiceprint import cosine, unpacked
from harness.errors import UndecodableAudio

ASTERISK: Final = Path("/usr/share/asterisk/sounds")
PEOPLE: Final = MappingProxyType(
    {
        "Allison, English": ASTERISK / "en_US_f_Allison",
        "Allison, Spanish": ASTERISK / "es_MX_f_Allison",
        "June, French": ASTERISK / "fr_CA_f_June",
        "Carlo, Italian": ASTERISK / "it_IT_m_Carlo",
        "a woman, Russian": ASTERISK / "ru_RU_f_IvrvoiceRU",
        "a reader, English": Path("/usr/share/pocketsphinx/test/data/librivox"),
    }
)
MOST: Final = 40  # recordings of a person: 780 pairs
SAME: Final = frozenset({"Allison, English", "Allison, Spanish"})  # one woman in two languages
_TELEPHONE_HZ: Final = 8_000
_SECONDS: Final = (2.0, 12.0)

Pair = tuple[str, str]


def recordings_of(person: str) -> list[Path]:
    """Some of a person's recordings, long enough to know a voice by; none where the package is not installed."""
    fitting = [
        path
        for path in sorted(PEOPLE[person].rglob("*.wav"))
        if path.parent.name != "silence" and _SECONDS[0] < soundfile.info(path).duration < _SECONDS[1]
    ]
    return [fitting[index] for index in np.random.default_rng(10).permutation(len(fitting))[:MOST]]


def voice_in(question: tuple[str, str]) -> str | None:
    """The voice in a recording as packed text, None without speech; runs in a worker.

    Args:
        question: The recording, and the folder of models.
    """
    path, models = question
    y, rate_hz = soundfile.read(path, dtype="float32")
    narrow = soxr.resample(y, rate_hz, _TELEPHONE_HZ)
    try:
        said = read_sound("similarity", soxr.resample(narrow, _TELEPHONE_HZ, RATE_HZ), Path(models), None)
    except UndecodableAudio:
        return None
    return str(said["embedding"])


def told_apart(voices: Mapping[str, Sequence[str]], false_alarms: float) -> dict[str, Any]:
    """How often two people are told apart, at the limit that cries wolf over one person so often.

    Every other recording sets the limit, by pairs of one person; the rest of them count.

    Args:
        voices: Packed voices of each person.
        false_alarms: The share of pairs of one person that may lie beyond the limit.
    """
    known = {person: [unpacked(voice) for voice in said] for person, said in voices.items() if len(said) >= 4}
    setting = np.concatenate([_within(said[::2]) for said in known.values()])
    limit = float(np.quantile(setting, 1 - false_alarms, method="higher"))
    counting = {person: said[1::2] for person, said in known.items()}
    alarms = {person: _within(said) > limit for person, said in counting.items()}
    return {
        "limit": round(limit, 4),
        "people": [
            {
                "person": person,
                "recordings": len(known[person]),
                "pairs": len(crying),
                "false_alarms": round(float(crying.mean()), 4),
            }
            for person, crying in alarms.items()
        ],
        "pairs": [
            {
                "one": one,
                "other": other,
                "is_one_person": {one, other} <= SAME,
                "pairs": len(apart),
                "told": round(float((apart > limit).mean()), 3),
            }
            for one, other in itertools.combinations(counting, 2)
            for apart in [_between(counting[one], counting[other])]
        ],
    }


def _within(said: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float64]:
    return np.array([1.0 - cosine(one, other) for one, other in itertools.combinations(said, 2)])


def _between(
    said: Sequence[npt.NDArray[np.float32]], others: Sequence[npt.NDArray[np.float32]]
) -> npt.NDArray[np.float64]:
    return np.array([1.0 - cosine(one, other) for one, other in itertools.product(said, others)])
