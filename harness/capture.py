"""The capture format: one request seen in production as one line of JSON (design.md section 5, docs/formats).

A line is checked here once and becomes a `Capture`. Files of lines, bad lines and duplicates are the reader's business
(replay/sources.py); whether a capture may be replayed, for want of consent say, is the replay's.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from harness.errors import CaptureError, ErrorKind
from harness.exchanges import OK, Capture, Consent, Observed
from harness.speech import LANGUAGES, Operation, Reference, SpeechRequest, Voice, VoiceKind

__all__ = ["CAPTURE_SCHEMA", "MAX_LABEL_CHARS", "InvalidCapture", "capture_from_json", "capture_to_json"]

CAPTURE_SCHEMA: Final = 1
MAX_LABEL_CHARS: Final = 200  # of an id, a user key, a session, a segment


class InvalidCapture(CaptureError):
    """A line is no capture; the message names the key, never what was in it."""


def _label(value: str) -> str:
    """A name that is safe in logs, tables and terminals."""
    if not value or len(value) > MAX_LABEL_CHARS or not value.isprintable():
        raise ValueError(f"must be 1 to {MAX_LABEL_CHARS} printable characters")
    return value


def _key_part(value: str) -> str:
    if "/" in value:
        raise ValueError('must not hold "/": it becomes part of capture/repetition/lane')
    return value


def _words(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not hold a NUL character")
    return value


def _sha256(value: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError("must be 64 lower-case hexadecimal digits")
    return value


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}, or null to let the provider guess")
    return value


def _status(value: str) -> str:
    if value != OK and value not in list(ErrorKind):
        raise ValueError(f"must be {OK} or one of {', '.join(ErrorKind)}")
    return value


def _moment(value: object) -> datetime:
    """ISO 8601 with a zone, as UTC."""
    wanted = "must be a time in ISO 8601 with its zone, such as 2026-11-22T10:15:30.123Z"
    if not isinstance(value, str) or "T" not in value:
        raise ValueError(wanted)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(wanted) from None


def _schema(value: int) -> int:
    if value != CAPTURE_SCHEMA:
        raise ValueError(f"must be {CAPTURE_SCHEMA}, the version this program reads")
    return value


_Label = Annotated[str, AfterValidator(_label)]
_Words = Annotated[str, AfterValidator(_words)]
_Moment = Annotated[datetime, BeforeValidator(_moment)]
_Seconds = Annotated[float, Field(ge=0)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _ReferenceLine(_Line):
    sha256: Annotated[str, AfterValidator(_sha256)]
    transcript: _Words | None = None


class _VoiceLine(_Line):
    kind: VoiceKind
    id: _Label
    reference: _ReferenceLine | None = None
    description: _Words | None = None

    def noun(self) -> Voice:
        reference = Reference(**self.reference.__dict__) if self.reference else None
        return Voice(kind=self.kind, id=self.id, reference=reference, description=self.description)


class _ConsentLine(_Line):
    scope: tuple[_Label, ...]
    region: _Label | None = None
    expires_at: _Moment | None = None
    evidence: _Words | None = None


class _ObservedLine(_Line):
    provider: _Label
    status: Annotated[str, AfterValidator(_status)]
    first_byte_s: _Seconds | None = None
    total_s: _Seconds | None = None
    audio_s: _Seconds | None = None


class _CaptureLine(_Line):
    schema_number: Annotated[int, Field(alias="schema"), AfterValidator(_schema)]
    id: Annotated[_Label, AfterValidator(_key_part)]
    captured_at: _Moment
    operation: Operation
    text: _Words | None = None
    language: Annotated[str, AfterValidator(_language)] | None = None
    voice: _VoiceLine
    instructions: _Words | None = None
    response_format: Literal["wav", "pcm", "flac", "mp3", "opus"] = "wav"
    sample_rate_hz: Annotated[int, Field(ge=8_000, le=192_000)] = 24_000
    stream: bool = False
    user_key: _Label | None = None
    session: _Label | None = None
    segment: _Label | None = None
    consent: _ConsentLine | None = None
    observed: _ObservedLine | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "_CaptureLine":
        """Each operation brings what it cannot be done without."""
        voice, operation = self.voice, self.operation
        if operation is not Operation.GENERATE and voice.kind != operation.value:
            raise ValueError(f"a {operation} needs a voice of kind {operation}")
        if operation is Operation.CLONE and voice.reference is None:
            raise ValueError("a clone needs voice.reference")
        if operation is Operation.DESIGN and not (voice.description or "").strip():
            raise ValueError("a design needs voice.description")
        if operation is not Operation.CLONE and not (self.text or "").strip():
            raise ValueError(f"a {operation} needs text")
        return self

    def noun(self) -> Capture:
        request = SpeechRequest(
            operation=self.operation,
            text=self.text or "",
            language=self.language,
            voice=self.voice.noun(),
            instructions=self.instructions,
            response_format=self.response_format,
            sample_rate_hz=self.sample_rate_hz,
            stream=self.stream,
        )
        return Capture(
            id=self.id,
            captured_at=self.captured_at,
            request=request,
            user_key=self.user_key,
            session=self.session,
            segment=self.segment,
            consent=Consent(**self.consent.__dict__) if self.consent else None,
            observed=Observed(**self.observed.__dict__) if self.observed else None,
        )


def capture_from_json(line: str | bytes, *, is_ours: bool = False) -> Capture:
    """The capture that one line holds.

    Args:
        line: JSON.
        is_ours: It was encoded from a mapping just now, so no key can stand in it twice.

    Raises:
        InvalidCapture: The line is no JSON, or a key is unknown, missing, doubled or unusable; says which.
    """
    try:
        checked = _CaptureLine.model_validate_json(line)
    except ValidationError as error:
        raise InvalidCapture(_reason(error)) from None
    # Readers differ on which of two equal keys they believe, so neither is. The line is known to be shallow by now.
    if not is_ours:
        json.loads(line, object_pairs_hook=_refuse_doubled_keys)
    return checked.noun()


def _refuse_doubled_keys(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise InvalidCapture(f'the key "{doubled}" stands twice')


_SECTIONS: Final[dict[tuple[str, ...], type[_Line]]] = {
    (): _CaptureLine,
    ("voice",): _VoiceLine,
    ("voice", "reference"): _ReferenceLine,
    ("consent",): _ConsentLine,
    ("observed",): _ObservedLine,
}


def _reason(error: ValidationError) -> str:
    """What is wrong first of all: the version, else an unknown key, which explains most missing ones."""
    problems: list[Any] = list(error.errors(include_url=False, include_input=False))
    problem = min(problems, key=_rank)
    location = tuple(problem["loc"])
    where = ".".join(str(part) for part in location)
    match problem["type"]:
        case "json_invalid":
            return f"no JSON: {problem['ctx']['error'].replace(' at line 1', ' at')}"
        case "extra_forbidden":
            return _unknown_key(location)
        case "missing":
            return f"{where} is missing"
        case "value_error":
            return f"{where} {problem['ctx']['error']}".lstrip()
        case _:
            return f"{where or 'the line'} {problem['msg'].removeprefix('Input ')}"


def _rank(problem: Any) -> int:
    if problem["loc"] == ("schema",):
        return 0
    return 1 if problem["type"] == "extra_forbidden" else 2


def _unknown_key(location: tuple[Any, ...]) -> str:
    section = _SECTIONS[location[:-1]]
    valid = ", ".join(field.alias or name for name, field in section.model_fields.items())
    name = ".".join([*location[:-1], ascii(location[-1][:60])[1:-1]])
    return f'"{name}" is not a key; valid ones are {valid}'


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def capture_to_json(capture: Capture) -> str:
    """The capture as one line without its line end; `capture_from_json` gives back an equal one."""
    request = capture.request
    return _ENCODER.encode(
        {
            "schema": CAPTURE_SCHEMA,
            "id": capture.id,
            "captured_at": _iso(capture.captured_at),
            "operation": request.operation,
            "text": request.text,
            "language": request.language,
            "voice": _voice_fields(request.voice),
            "instructions": request.instructions,
            "response_format": request.response_format,
            "sample_rate_hz": request.sample_rate_hz,
            "stream": request.stream,
            "user_key": capture.user_key,
            "session": capture.session,
            "segment": capture.segment,
            "consent": _consent_fields(capture.consent) if capture.consent else None,
            "observed": _fields(capture.observed, _ObservedLine) if capture.observed else None,
        }
    )


def _fields(noun: object, line: type[_Line]) -> dict[str, Any]:
    """The noun's fields by the keys of its section; `asdict` copies deeply, which costs ten times as much."""
    return {name: getattr(noun, name) for name in line.model_fields}


def _voice_fields(voice: Voice) -> dict[str, Any]:
    reference = _fields(voice.reference, _ReferenceLine) if voice.reference else None
    return {"kind": voice.kind, "id": voice.id, "reference": reference, "description": voice.description}


def _consent_fields(consent: Consent) -> dict[str, Any]:
    expires_at = _iso(consent.expires_at) if consent.expires_at else None
    return _fields(consent, _ConsentLine) | {"expires_at": expires_at}


def _iso(moment: datetime) -> str:
    whole_ms = moment.microsecond % 1000 == 0
    return moment.astimezone(UTC).isoformat(timespec="milliseconds" if whole_ms else "microseconds")[:-6] + "Z"
