"""Voices that a provider ships: names of nobody. Any other name is somebody's until its owner says otherwise."""

from collections.abc import Iterable
from typing import Final

__all__ = ["EVERYWHERE", "OPEN_MODEL", "PRESETS", "QWEN_HOSTED", "QWEN_INSTRUCTED", "is_preset"]

# The hosted voices, as Qwen spells them (providers.md C).
_QWEN_GENERAL: Final = frozenset(
    [
        *("Cherry", "Serena", "Ethan", "Chelsie", "Momo", "Vivian", "Moon", "Maia", "Kai", "Nofish", "Bella"),
        *("Jennifer", "Ryan", "Katerina", "Aiden", "Eldric Sage", "Mia", "Mochi", "Bellona", "Vincent", "Bunny"),
        *("Neil", "Elias", "Arthur", "Nini", "Ebona", "Seren", "Pip", "Stella", "Andre"),
    ]
)
_QWEN_DIALECT: Final = frozenset(["Jada", "Dylan", "Li", "Marcus", "Roy", "Peter", "Sunny", "Eric", "Rocky", "Kiki"])
_QWEN_FOREIGN: Final = frozenset(
    ["Bodega", "Sonrisa", "Alek", "Dolce", "Sohee", "Ono Anna", "Lenn", "Emilien", "Radio Gol"]
)
QWEN_HOSTED: Final = _QWEN_GENERAL | _QWEN_DIALECT | _QWEN_FOREIGN
# Those that also take instructions; of "Eldric Sage" that is disputed: taken.
QWEN_INSTRUCTED: Final = _QWEN_GENERAL - {"Jennifer", "Ryan", "Katerina", "Aiden"}
# The open model's nine speakers, in its own spelling and order (providers.md B2).
OPEN_MODEL: Final = ("Vivian", "Serena", "Uncle_Fu", "Dylan", "Eric", "Ryan", "Aiden", "Ono_Anna", "Sohee")
EVERYWHERE: Final = "Serena"  # whoever is asked and with whatever model, this one can speak
_OPENAI: Final = frozenset(
    [
        *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse", "marin"),
        "cedar",
    ]
)


def _plain(name: str) -> str:
    """The spelling under which `Ono_Anna` and `ono anna` are one voice."""
    return name.replace("_", " ").lower()


PRESETS: Final = frozenset(map(_plain, QWEN_HOSTED | _OPENAI | {*OPEN_MODEL}))


def is_preset(name: str, more: Iterable[str] = ()) -> bool:
    """Whether a voice of this name ships with a provider, or is one of `more`."""
    return _plain(name) in PRESETS or name in more
