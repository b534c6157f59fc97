"""Which voices a model of Qwen speaks with, and by which protocol (providers.md A2, A4, C).

A name that is not known here is not judged: models are settings, and new ones appear. The lists were read in 2026.
"""

from enum import StrEnum
from typing import Final

from harness.preset_voices import QWEN_HOSTED, QWEN_INSTRUCTED

__all__ = ["ModelFamily", "family_of", "is_realtime", "system_voices"]


class ModelFamily(StrEnum):
    """Whose voices a model speaks with."""

    SYSTEM = "its own"
    CLONE = "cloned"
    DESIGN = "designed"


_FIRST: Final = frozenset({"Cherry", "Serena", "Ethan", "Chelsie", "Dylan", "Jada", "Sunny"})  # of `qwen-tts`


def family_of(model: str) -> ModelFamily | None:
    """Whose voices `model` speaks with; None when its name does not tell."""
    if model.startswith("qwen3-tts-vc-"):
        return ModelFamily.CLONE
    if model.startswith("qwen3-tts-vd-"):
        return ModelFamily.DESIGN
    return None if system_voices(model) is None else ModelFamily.SYSTEM


def is_realtime(model: str) -> bool | None:
    """Whether `model` is reached through a WebSocket, and through nothing else; None when its name does not tell."""
    return "-realtime" in model if family_of(model) else None


def system_voices(model: str) -> frozenset[str] | None:
    """The voices that `model` has of its own; None when nobody listed them."""
    if model.startswith("qwen3-tts-instruct-flash"):
        return QWEN_INSTRUCTED
    if model.startswith("qwen3-tts-flash"):
        return QWEN_HOSTED
    return _FIRST if model.startswith("qwen-tts") else None
