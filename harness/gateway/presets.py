"""Voices that are everybody's: they come with the models, and nobody made them."""

from typing import Final

from harness.gateway.refusals import Refused
from harness.preset_voices import OPEN_MODEL, QWEN_HOSTED
from harness.speech import Voice, VoiceKind

__all__ = ["PRESETS", "preset_of"]

_MADE: Final = "voice-"  # what the ids of the voice book begin with

# What every caller may use whoever answers: the speakers of the legacy path. One that Qwen has not is spoken by legacy.
PRESETS: Final = tuple(Voice(kind=VoiceKind.PRESET, id=name) for name in sorted(OPEN_MODEL))
_KNOWN: Final = frozenset(name.replace(" ", "_").casefold() for name in {*OPEN_MODEL, *QWEN_HOSTED})


def preset_of(name: str) -> Voice | None:
    """The preset of this name, in either provider's spelling; None when it can only be a voice somebody made.

    Raises:
        Refused: 404, for a name of neither kind.
    """
    if name.startswith(_MADE):
        return None
    if name.replace(" ", "_").casefold() not in _KNOWN:
        raise Refused(404, "voice_not_found", "there is no such voice; GET /v1/voices lists yours")
    return Voice(kind=VoiceKind.PRESET, id=name)
