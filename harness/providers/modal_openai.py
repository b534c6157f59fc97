"""A request in the terms of vLLM-Omni, which speaks the convention of OpenAI (providers.md B3): one call for all."""

from typing import Any, Final

from harness.exchanges import Failure
from harness.providers.base import References
from harness.providers.modal_terms import Order, is_preset, objection_to, speaker_name
from harness.providers.reference import data_url, load_recording
from harness.speech import LANGUAGES, Operation, SpeechRequest

__all__ = ["openai_order_for", "streamed"]

# Events rather than bare samples: they tell the end of a speech from a connection that broke.
_STREAMED: Final = {"stream": True, "stream_format": "sse", "response_format": "pcm"}
_PATH: Final = "v1/audio/speech"


async def openai_order_for(request: SpeechRequest, references: References) -> Order | Failure:
    """The call that does what `request` wants, or why there is none.

    No model is named: a server serves one checkpoint, and refuses a name that is spelt otherwise than at its start.
    """
    objection = objection_to(request)
    if objection:
        return objection
    text, voice, wish = request.spoken_text, request.voice, request.instructions
    language = LANGUAGES[request.language] if request.language else "Auto"
    body: dict[str, Any] = {"input": text, "language": language, "response_format": "wav"}
    if request.operation is Operation.DESIGN:
        body |= {"task_type": "VoiceDesign", "instructions": voice.description}
        return Order("design", _PATH, body, (text, voice.description), text)
    if is_preset(request):
        body |= {"task_type": "CustomVoice", "voice": speaker_name(voice)} | ({"instructions": wish} if wish else {})
        return Order("speak", _PATH, body, (text, wish), text)
    recording = await load_recording(references, voice)
    if isinstance(recording, Failure):
        return recording
    body |= {"task_type": "Base", "ref_audio": data_url(recording), "ref_text": recording.transcript}
    return Order("speak", _PATH, body, (text, recording.transcript), text)


def streamed(order: Order) -> Order:
    """The same, with the audio handed over while it is made."""
    return order._replace(body=order.body | _STREAMED)
