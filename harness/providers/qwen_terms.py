"""A request in Qwen's terms: the model that does it, the names it uses, and what it cannot express."""

import unicodedata
from typing import Final

from harness.config import QwenDelivery, QwenSettings
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.qwen_models import ModelFamily, family_of, is_realtime, system_voices
from harness.speech import LANGUAGES, Operation, SpeechRequest, Voice, VoiceKind

__all__ = ["language_name", "model_for", "objection_to", "preset_name", "written_language"]

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


def written_language(text: str) -> str:
    """The ISO code of the language that a text is most likely written in, by its script alone; English for Latin.

    A design without a language is taken for Chinese (providers.md A6), whatever its preview says. Told apart are the
    scripts; Latin letters stand for seven of the ten languages.
    """
    names = [unicodedata.name(character, "") for character in text if character.isalpha()]
    for start, language in (
        ("HIRAGANA", "ja"),
        ("KATAKANA", "ja"),
        ("HANGUL", "ko"),
        ("CJK", "zh"),
        ("CYRILLIC", "ru"),
    ):
        if any(name.startswith(start) for name in names):
            return language
    return "en"


def preset_name(voice: Voice) -> str:
    """The hosted spelling of a preset: "Ono Anna" where the open model says "Ono_Anna" (providers.md C)."""
    return voice.id.replace("_", " ")


def objection_to(request: SpeechRequest, settings: QwenSettings) -> Failure | None:
    """Why the API could not do it whatever we sent; None when it could."""
    return _objection_to_words(request, settings) or _objection_to_model(request, settings)


def _objection_to_words(request: SpeechRequest, settings: QwenSettings) -> Failure | None:
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


def _objection_to_model(request: SpeechRequest, settings: QwenSettings) -> Failure | None:
    """Why the model in the settings would refuse the voice or the protocol, as far as its name tells."""
    setting, model, wanted = _speaking_model(request, settings)
    variable = f"CUTOVER_QWEN__{setting.upper()}"
    family = family_of(model)
    if family is not None and family is not wanted:
        return _unsupported(
            "model", f"{model} speaks with {family} voices, not with {wanted} ones; {variable} names it"
        )
    spoken = request.operation is not Operation.DESIGN  # a design is spoken by its maker
    if spoken and is_realtime(model) not in (None, settings.delivery is QwenDelivery.REALTIME):
        words = f"{model} does not go with delivery {settings.delivery}; set {variable} or CUTOVER_QWEN__DELIVERY"
        return _unsupported("model", words)
    names = system_voices(model) if wanted is ModelFamily.SYSTEM else None
    if names is None or preset_name(request.voice) in names | _more_voices(settings):
        return None
    words = (
        f"{model} has no voice {preset_name(request.voice)[:40]!r}; CUTOVER_QWEN__MORE_VOICES names those it has since"
    )
    return _unsupported("preset", words)


def _speaking_model(request: SpeechRequest, settings: QwenSettings) -> tuple[str, str, ModelFamily]:
    """The setting that names the model whose voice is heard, its value, and what its voices must be."""
    if request.voice.kind is VoiceKind.DESIGN or request.operation is Operation.DESIGN:
        return "design_model", settings.design_model, ModelFamily.DESIGN
    if request.voice.kind is VoiceKind.CLONE or request.operation is Operation.CLONE:
        return "clone_model", settings.clone_model, ModelFamily.CLONE
    setting = "instruct_model" if request.instructions else "generate_model"
    return setting, model_for(request, settings), ModelFamily.SYSTEM


def _more_voices(settings: QwenSettings) -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in settings.more_voices.split(","))))


def _objection_to_design(request: SpeechRequest) -> Failure | None:
    description = request.voice.description
    if not description:
        return _unsupported("no_description", "the voice has no description to design it from")
    if len(description) > _LONGEST_DESCRIPTION:
        return _unsupported("description_too_long", f"Qwen takes descriptions of {_LONGEST_DESCRIPTION} characters")
    if written_language(description) not in ("zh", "en"):
        return _unsupported("description_language", "Qwen takes descriptions in Chinese or English only")
    if len(request.spoken_text) > _LONGEST_PREVIEW:
        return _unsupported("text_too_long", f"Qwen takes previews of {_LONGEST_PREVIEW} characters")
    if request.instructions:
        return _unsupported("instructions", "Qwen takes instructions for preset voices only")
    return None


def _unsupported(code: str, detail: str) -> Failure:
    return Failure(kind=ErrorKind.UNSUPPORTED, code=f"local.{code}", detail=detail)
