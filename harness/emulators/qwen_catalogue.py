"""What the Qwen stand-in offers: models, the voices of each, and the languages (providers.md A2, C)."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from harness.emulators.account import Account
from harness.emulators.qwen_wire import Refusal, invalid
from harness.emulators.timbres import CAST, Timbre, timbre_of_speaker
from harness.preset_voices import QWEN_HOSTED, QWEN_INSTRUCTED
from harness.speech import LANGUAGES

__all__ = [
    "DESIGN",
    "ENROLMENT",
    "MODELS",
    "REALTIME_MODELS",
    "Family",
    "family_of",
    "language_of",
    "model_not_found",
    "timbre_for",
]

ENROLMENT: Final = "qwen-voice-enrollment"
DESIGN: Final = "qwen-voice-design"


class Family(StrEnum):
    """Which voices a synthesis model speaks with."""

    SYSTEM = "system"
    CLONE = "clone"
    DESIGN = "design"


# The legacy `qwen-tts` models are not here: their end was announced for 2026-10-10 (providers.md A2, D9).
MODELS: Final = MappingProxyType(
    {
        "qwen3-tts-flash": Family.SYSTEM,
        "qwen3-tts-flash-2025-11-27": Family.SYSTEM,
        "qwen3-tts-flash-2025-09-18": Family.SYSTEM,
        "qwen3-tts-instruct-flash": Family.SYSTEM,
        "qwen3-tts-instruct-flash-2026-01-26": Family.SYSTEM,
        "qwen3-tts-vc-2026-01-22": Family.CLONE,
        "qwen3-tts-vd-2026-01-26": Family.DESIGN,
    }
)

# These are spoken to through the realtime protocol alone (providers.md A4).
REALTIME_MODELS: Final = MappingProxyType(
    {
        "qwen3-tts-flash-realtime": Family.SYSTEM,
        "qwen3-tts-flash-realtime-2025-11-27": Family.SYSTEM,
        "qwen3-tts-instruct-flash-realtime": Family.SYSTEM,
        "qwen3-tts-instruct-flash-realtime-2026-01-22": Family.SYSTEM,
        "qwen3-tts-vc-realtime-2026-01-15": Family.CLONE,
        "qwen3-tts-vc-realtime-2025-11-27": Family.CLONE,
        "qwen3-tts-vd-realtime-2026-01-15": Family.DESIGN,
        "qwen3-tts-vd-realtime-2025-12-16": Family.DESIGN,
    }
)


def model_not_found() -> Refusal:
    """What an unknown model answers, and as far as anybody knows a retired one (providers.md A7)."""
    return Refusal(404, "ModelNotFound", "Model can not be found.")


def language_of(language_type: str | None) -> str | None:
    """ISO 639-1 of a language name; None for `Auto`.

    Raises:
        Refusal: The service does not know it.
    """
    if language_type is None or language_type.casefold() == "auto":
        return None
    for iso, name in LANGUAGES.items():
        if name.casefold() == language_type.casefold():
            return iso
    raise invalid("language_type")


def family_of(model: str) -> Family | None:
    """Which voices a model speaks with, whatever it is reached through; None when there is no such model."""
    return MODELS.get(model) or REALTIME_MODELS.get(model)


def timbre_for(model: str, voice: str, account: Account) -> Timbre:
    """How `voice` sounds through `model`.

    Raises:
        Refusal: There is no such voice, or it belongs to another model.
    """
    stored = account.voices.get(voice)
    family = family_of(model)
    if family is Family.SYSTEM:
        if voice in (QWEN_INSTRUCTED if "-instruct-" in model else QWEN_HOSTED):
            return timbre_of_speaker(voice)
    elif stored is not None:
        if stored.target_model == model:
            return CAST[stored.timbre]
        raise Refusal(400, "invalid_value", f"The requested voice '{voice}' is not supported.")
    raise Refusal(
        400,
        "InvalidParameter",
        "Invalid voice specified, the requested voice does not exist or is not licensed",
    )
