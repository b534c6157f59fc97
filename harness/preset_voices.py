"""Voices that a provider ships: names of nobody. Any other name is somebody's until its owner says otherwise."""

from collections.abc import Iterable
from typing import Final

__all__ = ["PRESETS", "QWEN_DIALECT", "QWEN_FOREIGN", "QWEN_GENERAL", "is_preset"]

# The hosted voices, as Qwen spells them (providers.md C).
QWEN_GENERAL: Final = frozenset(
    [
        *("Cherry", "Serena", "Ethan", "Chelsie", "Momo", "Vivian", "Moon", "Maia", "Kai", "Nofish", "Bella"),
        *("Jennifer", "Ryan", "Katerina", "Aiden", "Eldric Sage", "Mia", "Mochi", "Bellona", "Vincent", "Bunny"),
        *("Neil", "Elias", "Arthur", "Nini", "Ebona", "Seren", "Pip", "Stella", "Andre"),
    ]
)
QWEN_DIALECT: Final = frozenset(["Jada", "Dylan", "Li", "Marcus", "Roy", "Peter", "Sunny", "Eric", "Rocky", "Kiki"])
QWEN_FOREIGN: Final = frozenset(
    ["Bodega", "Sonrisa", "Alek", "Dolce", "Sohee", "Ono Anna", "Lenn", "Emilien", "Radio Gol"]
)
# Of the open model's nine speakers the one that is not hosted (providers.md B2).
_OPEN_MODEL: Final = frozenset(["Uncle Fu"])
_OPENAI: Final = frozenset(
    [
        *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse", "marin"),
        "cedar",
    ]
)


def _plain(name: str) -> str:
    """The spelling under which `Ono_Anna` and `ono anna` are one voice."""
    return name.replace("_", " ").lower()


PRESETS: Final = frozenset(map(_plain, QWEN_GENERAL | QWEN_DIALECT | QWEN_FOREIGN | _OPEN_MODEL | _OPENAI))


def is_preset(name: str, more: Iterable[str] = ()) -> bool:
    """Whether a voice of this name ships with a provider, or is one of `more`."""
    return _plain(name) in PRESETS or name in more
