"""The customization endpoint of the Qwen stand-in: voices made, listed, looked up, deleted (providers.md A5, A6)."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from harness.emulators.account import StoredVoice
from harness.emulators.qwen_catalogue import DESIGN, ENROLMENT, model_not_found
from harness.emulators.qwen_creation import Creation
from harness.emulators.qwen_service import Service
from harness.emulators.qwen_wire import Refusal, invalid, missing, read_body, reply, text_at

__all__ = ["Customization"]

Content = Mapping[str, Any]


class Customization:
    """Both makers of voices share one path and are told apart by `model`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._creation = Creation(service)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one action."""
        body = await read_body(request)
        maker = body.get("model")
        if not maker:
            raise missing("Model")
        if maker not in (ENROLMENT, DESIGN) or maker in self._service.options.retired:
            raise model_not_found()
        content = body.get("input")
        if not isinstance(content, dict) or not content:
            raise missing("Input")
        action = content.get("action")
        if action == "create" and maker == ENROLMENT:
            return await self._creation.clone(request, content)
        if action == "create":
            return await self._creation.design(request, content, _parameters(body))
        if action == "list":
            return reply(request, self._listed(maker, content))
        if action == "delete":
            return reply(request, self._deleted(maker, content))
        if action == "query" and maker == DESIGN:  # enrolment documents no such action
            return reply(request, {"output": _entry(self._voice(maker, content)), "usage": {}})
        raise invalid("action")

    def _listed(self, maker: str, content: Content) -> dict[str, Any]:
        size = _whole(content, "page_size", least=1, default=10)
        index = _whole(content, "page_index", least=0, default=0)
        own = [voice for voice in self._service.account.voices.values() if voice.maker == maker]
        output = {
            "page_index": index,
            "page_size": size,
            "total_count": len(own),
            "voice_list": [_entry(voice) for voice in own[size * index : size * (index + 1)]],
        }
        return {"output": output, "usage": {"count": 0}}

    def _deleted(self, maker: str, content: Content) -> dict[str, Any]:
        voice = self._voice(maker, content).voice
        self._service.account.forget(voice)
        if maker == ENROLMENT:
            return {"usage": {"count": 0}}
        return {"output": {"voice": voice}, "usage": {}}

    def _voice(self, maker: str, content: Content) -> StoredVoice:
        name = text_at(content, "voice", required=True) or ""
        voice = self._service.account.voices.get(name)
        if voice is not None and voice.maker == maker:
            return voice
        if maker == ENROLMENT:
            raise Refusal(400, "BadRequest.VoiceNotFound", f"Voice '{name}' not found.")
        raise Refusal(400, "VoiceNotFound", f"Voice not found: {name}")


def _entry(voice: StoredVoice) -> dict[str, Any]:
    """The voice as lists show it."""
    entry = {"voice": voice.voice, "target_model": voice.target_model, "language": voice.language}
    if voice.maker == DESIGN:
        entry |= {"voice_prompt": voice.voice_prompt, "preview_text": voice.preview_text}
    return {**entry, "gmt_create": voice.made_at, "gmt_modified": voice.made_at}


def _parameters(body: Content) -> Content:
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid("parameters")
    return parameters


def _whole(content: Content, name: str, *, least: int, default: int) -> int:
    value = content.get(name, default)
    if not isinstance(value, int) or value < least:
        raise invalid(name)
    return value
