"""A request in the terms of the legacy path: which call does it, and what it cannot express (providers.md B4)."""

from typing import Any, NamedTuple

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.base import Purpose, References
from harness.providers.reference import load_recording
from harness.speech import LANGUAGES, Operation, SpeechRequest, Voice, VoiceKind

__all__ = ["Order", "is_preset", "objection_to", "order_for", "speaker_name"]


class Order(NamedTuple):
    """What to send where."""

    purpose: Purpose
    path: str
    body: dict[str, Any]
    private: tuple[str | None, ...]  # the caller's own words, which no error may repeat
    text: str  # what is to be spoken
    may_be_job: bool = False  # there is a call that submits this kind of work (providers.md B4)


def objection_to(request: SpeechRequest) -> Failure | None:
    """Why the legacy path could not do it whatever we sent; None when it could."""
    voice = request.voice
    if request.language is not None and request.language not in LANGUAGES:
        return _unsupported("language", f"the model does not speak {request.language[:20]!r}")
    if request.operation is Operation.GENERATE and not request.text.strip():
        return _unsupported("no_text", "there is no text to speak")
    if request.instructions and not is_preset(request):
        return _unsupported("instructions", "the legacy path takes instructions for preset voices only")
    if request.operation is Operation.DESIGN:
        return None if voice.description else _unsupported("no_description", "the voice has no description")
    if not is_preset(request) and (voice.reference is None or not voice.reference.transcript):
        return _unsupported("no_reference", "the voice has no reference recording with a transcript")
    return None


async def order_for(request: SpeechRequest, references: References) -> Order | Failure:
    """The call that does what `request` wants, or why there is none."""
    objection = objection_to(request)
    if objection:
        return objection
    text, voice, instruct = request.spoken_text, request.voice, request.instructions
    body: dict[str, Any] = {"text": text, "language": LANGUAGES[request.language] if request.language else "Auto"}
    if request.operation is Operation.DESIGN:
        return Order("design", "design", body | {"instruct": voice.description}, (text, voice.description), text)
    if is_preset(request):
        return Order(
            "speak", "generate", body | {"speaker": speaker_name(voice), "instruct": instruct}, (text, instruct), text
        )
    # Clone, or speech in a made voice: there are no voices here, so the reference goes along each time.
    recording = await load_recording(references, voice)
    if isinstance(recording, Failure):
        return recording
    body |= {"ref_audio_base64": recording.encoded, "ref_text": recording.transcript}
    return Order("speak", "clone", body, (text, recording.transcript), text, may_be_job=True)


def speaker_name(voice: Voice) -> str:
    """The open model's spelling of a preset: "Ono_Anna" where Qwen says "Ono Anna" (providers.md C)."""
    return voice.id.replace(" ", "_")


def is_preset(request: SpeechRequest) -> bool:
    """Whether a speaker that the model was trained with is to speak."""
    return request.operation is Operation.GENERATE and request.voice.kind is VoiceKind.PRESET


def _unsupported(code: str, detail: str) -> Failure:
    return Failure(kind=ErrorKind.UNSUPPORTED, code=f"local.{code}", detail=detail)
