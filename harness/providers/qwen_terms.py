"""A request in Qwen's terms: the model that does it, the names it uses, and what it cannot express."""

from typing import Final

from harness.config import QwenSettings
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.speech import LANGUAGES, Operation, SpeechRequest, Voice, VoiceKind

__all__ = ["language_name", "model_for", "objection_to", "preset_name"]

_LONGEST_DESCRIPTION: Final = 2048  # characters; providers.md A6
_LONGEST_PREVIEW: Final = 1024


def model_for(request: SpeechRequest, settings: QwenSettings) -> str:
    """The model that does the work, and by which it is priced."""
    if request.operation is Operation.DESIGN:
        return settings.voice_design_model
    if request.operation is Operation.CLONE or request.voice.kind is VoiceKind.CLONE:
        return settings.clone_model
    if request.voice.kind is VoiceKind.DESIGN:
        return settings.design_model
    return settings.instruct_model if request.instructions else settings.generate_model


def language_name(language: str | None) -> str:
    """The English name that synthesis wants, where making a voice wants the ISO code."""
    return LANGUAGES[language] if language else "Auto"


def preset_name(voice: Voice) -> str:
    """The hosted spelling of a preset: "Ono Anna" where the open model says "Ono_Anna" (providers.md C)."""
    return voice.id.replace("_", " ")


def objection_to(request: SpeechRequest, settings: QwenSettings) -> Failure | None:
    """Why the API could not do it whatever we sent; None when it could."""
    if request.language is not None and request.language not in LANGUAGES:
        return _unsupported("language", f"Qwen does not speak {request.language[:20]!r}")
    if request.operation is Operation.DESIGN:
        return _objection_to_design(request)
    chars = len(request.spoken_text)
    if chars > settings.max_chars:
        return _unsupported("text_too_long", f"the text has {chars} characters, Qwen takes {settings.max_chars}")
    if request.operation is Operation.GENERATE and not request.text.strip():
        return _unsupported("no_text", "there is no text to speak")
    if request.operation is Operation.CLONE and request.voice.reference is None:
        return _unsupported("no_reference", "the voice has no reference recording")
    if request.instructions and (request.operation is Operation.CLONE or request.voice.kind is not VoiceKind.PRESET):
        return _unsupported("instructions", "Qwen takes instructions for preset voices only")
    return None


def _objection_to_design(request: SpeechRequest) -> Failure | None:
    description = request.voice.description
    if not description:
        return _unsupported("no_description", "the voice has no description to design it from")
    if len(description) > _LONGEST_DESCRIPTION:
        return _unsupported("description_too_long", f"Qwen takes descriptions of {_LONGEST_DESCRIPTION} characters")
    if len(request.spoken_text) > _LONGEST_PREVIEW:
        return _unsupported("text_too_long", f"Qwen takes previews of {_LONGEST_PREVIEW} characters")
    if request.instructions:
        return _unsupported("instructions", "Qwen takes instructions for preset voices only")
    return None


def _unsupported(code: str, detail: str) -> Failure:
    return Failure(kind=ErrorKind.UNSUPPORTED, code=f"local.{code}", detail=detail)
