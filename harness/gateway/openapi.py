"""The OpenAPI 3.1 document, generated from the models that check the bodies, so that both say the same."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from harness.gateway.bodies import CloneBody, DesignBody, ErrorBody, SpeechBody, VoiceBody, VoiceListBody
from harness.gateway.formats import CONTENT_TYPES

__all__ = ["openapi_document"]

_MODELS: Final = (SpeechBody, CloneBody, DesignBody, VoiceBody, VoiceListBody, ErrorBody)
_ERRORS: Final = {
    "400": "The request cannot be understood, or not be carried out as it is.",
    "401": "No key, or an unknown one.",
    "409": "No provider that may answer can speak with this voice, or the first stream of this Idempotency-Key broke "
    "off; the message says what to do.",
    "413": "The body or the recording is too large.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "A limit is reached; Retry-After says when to come again.",
    "500": "Our own fault.",
    "503": "No provider can answer at the moment; Retry-After says when to come again.",
}
_KEY_SAID: Final = (
    "The same key gives back the first answer, and nothing is paid twice. A stream that came to its end is given back "
    "whole; one that broke off may have been billed, so its key is answered 409 and a new key has it made again. "
    "Answers are remembered by all worker processes and across restarts, for a day unless it is set otherwise."
)
_TELLING: Final = {
    "X-Request-Id": "Names this request in logs.",
    "X-Provider": "Who answered: qwen or modal.",
    "X-Fallback": "none, or why legacy answered in Qwen's place.",
    "X-Route": "What decided who answers.",
    "X-Flag-Version": "The version of the flags in force.",
    "X-Rollout-Version": "The version of the rollout's state.",
}


def openapi_document() -> dict[str, Any]:
    """What callers can ask for and what they get."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "cutover gateway", "version": "1"},
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    made = _json_reply("The voice, with its first words.", VoiceBody, telling=True)
    voice_id = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^voice-[a-z0-9]+$"},
    }
    gone = {"description": "It is gone.", "headers": _headers("X-Request-Id")}
    return {
        "/v1/audio/speech": {"post": _post("Speak a text", _body(SpeechBody), {"200": _audio_reply()})},
        "/v1/voices/clone": {
            "post": _post("Make a voice from a recording", _body(CloneBody, form=True), {"201": made})
        },
        "/v1/voices/design": {"post": _post("Make a voice from a description", _body(DesignBody), {"201": made})},
        "/v1/voices": {
            "get": {
                "summary": "The voices you may use",
                "responses": {"200": _json_reply("All of them.", VoiceListBody), **_errors("401", "429", "500")},
            }
        },
        "/v1/voices/{id}": {
            "delete": {
                "summary": "Take a voice away",
                "parameters": [voice_id],
                "responses": {"204": gone, **_errors("401", "404", "429", "500")},
            }
        },
        "/healthz": {"get": _open("Whether the process lives")},
        "/readyz": {"get": _open("Whether it should get requests", "503")},
        "/metrics": {"get": _open("Metrics, for Prometheus", content_type="text/plain")},
    }


def _post(summary: str, body: dict[str, Any], replies: dict[str, Any]) -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": _KEY_SAID,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    }
    responses = {**replies, **_errors(*_ERRORS), **_errors("404")}
    return {"summary": summary, "parameters": [key], "requestBody": body, "responses": responses}


def _body(model: type[BaseModel], *, form: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": _ref(model)}}
    if form:
        content["multipart/form-data"] = {
            "schema": _form(model),
            "encoding": {"audio": {"contentType": "audio/*"}, "consent": {"contentType": "application/json"}},
        }
    return {"required": True, "content": content}


def _form(model: type[BaseModel]) -> dict[str, Any]:
    """The same fields as in JSON, but that the recording is a file."""
    schema = models_json_schema([(model, "validation")], ref_template="#/components/schemas/{model}")[1]
    whole = schema["$defs"][model.__name__]
    audio = {"type": "string", "format": "binary", "minLength": 1, "description": "The recording, a file."}
    language = whole["properties"]["language"]["anyOf"][0]  # a field of a form is there or not, never null
    properties = {**whole["properties"], "audio": audio, "language": language}
    return {**whole, "properties": properties}


def _audio_reply() -> dict[str, Any]:
    audio = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
    content: dict[str, Any] = dict.fromkeys(CONTENT_TYPES.values(), audio)
    content["text/event-stream"] = {"schema": {"type": "string"}}
    return {"description": "Audio.", "headers": _headers(*_TELLING), "content": content}


def _json_reply(description: str, model: type[BaseModel], *, telling: bool = False) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _headers(*(_TELLING if telling else ("X-Request-Id",))),
        "content": {"application/json": {"schema": _ref(model)}},
    }


def _errors(*statuses: str) -> dict[str, Any]:
    known = _ERRORS | {"404": "There is no such voice."}
    return {status: _json_reply(known[status], ErrorBody) for status in statuses}


def _open(summary: str, *more: str, content_type: str = "application/json") -> dict[str, Any]:
    """A route that asks for no key."""
    reply = {"description": summary, "content": {content_type: {}}}
    return {"summary": summary, "security": [], "responses": dict.fromkeys(("200", *more), reply)}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"description": _TELLING[name], "schema": {"type": "string"}} for name in names}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
