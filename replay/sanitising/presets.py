"""Voices that a provider ships: names of nobody. Any other name is somebody's until its owner says otherwise."""

from collections.abc import Iterable
from typing import Final

__all__ = ["PRESETS", "is_preset"]

# The hosted voices, those of the open model, and those of the OpenAI convention (providers.md C, B2).
_QWEN: Final = [
    "Cherry",
    "Serena",
    "Ethan",
    "Chelsie",
    "Momo",
    "Vivian",
    "Moon",
    "Maia",
    "Kai",
    "Nofish",
    "Bella",
    "Jennifer",
    "Ryan",
    "Katerina",
    "Aiden",
    "Mia",
    "Mochi",
    "Bellona",
    "Vincent",
    "Bunny",
    "Neil",
    "Elias",
    "Arthur",
    "Nini",
    "Ebona",
    "Seren",
    "Pip",
    "Stella",
    "Andre",
    "Jada",
    "Dylan",
    "Li",
    "Marcus",
    "Roy",
    "Peter",
    "Sunny",
    "Eric",
    "Rocky",
    "Kiki",
    "Bodega",
    "Sonrisa",
    "Alek",
    "Dolce",
    "Sohee",
    "Lenn",
    "Emilien",
]
_OF_TWO_WORDS: Final = ("Eldric Sage", "Ono Anna", "Radio Gol", "Uncle Fu")
_OPENAI: Final = [
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
]


def _plain(name: str) -> str:
    """The spelling under which `Ono_Anna` and `ono anna` are one voice."""
    return name.replace("_", " ").lower()


PRESETS: Final = frozenset(map(_plain, (*_QWEN, *_OF_TWO_WORDS, *_OPENAI)))


def is_preset(name: str, more: Iterable[str] = ()) -> bool:
    """Whether a voice of this name ships with a provider, or is one of `more`."""
    return _plain(name) in PRESETS or name in more
