"""What callers send and get as JSON: checked here once, and what the OpenAPI document is made from."""

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from harness.gateway.formats import AudioFormat
from harness.gateway.refusals import Refused
from harness.speech import LANGUAGES, VoiceKind

__all__ = [
    "CloneBody",
    "DesignBody",
    "ErrorBody",
    "SpeechBody",
    "VoiceBody",
    "VoiceListBody",
    "VoiceName",
    "problem_with",
]

_MAX_ID: Final = 200
# Characters; legacy takes no more (providers.md B4), Qwen four times as many. Whoever answers must be able to.
_LONGEST_DESCRIPTION: Final = 500
_LONGEST_PREVIEW: Final = 500


def _words(value: str) -> str:
    if not value.strip():
        raise ValueError("must hold words")
    if "\x00" in value:
        raise ValueError("must not hold a NUL character")
    return value


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}, or left out to have it guessed")
    return value


def _written(value: object) -> object:
    """Refuse a number, bare or in quotes: pydantic would take it for seconds since 1970."""
    if not isinstance(value, str) or value.strip().lstrip("+-").replace(".", "").isdigit():
        raise ValueError("must be a date and time with its offset, such as 2027-01-31T12:00:00Z")
    return value


_SAYING: Final = r"^[^\x00]*[^\s\x00][^\x00]*$"  # the same in the document's own language
_Words = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": _SAYING}), AfterValidator(_words)]
_Language = Annotated[
    str,
    AfterValidator(_language),
    Field(description="ISO 639-1; left out, it is guessed.", json_schema_extra={"enum": list(LANGUAGES)}),
]
_Id = Annotated[str, Field(min_length=1, max_length=_MAX_ID, pattern=r"^[!-~]+( [!-~]+)*$")]


class _Body(BaseModel):
    # A misspelt key would be passed over without a word, and its caller wonder for long.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class VoiceName(_Body):
    """A voice as OpenAI's newer clients name one that was made."""

    id: _Id


class SpeechBody(_Body):
    """Speak a text."""

    # From JSON a StrEnum arrives as a string, which strict checking would refuse.
    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[_Words, Field(description="What is to be said.")]
    voice: Annotated[_Id | VoiceName, Field(description="A preset voice, or the id of one of your own.")]
    model: Annotated[str | None, Field(max_length=_MAX_ID, description="Not used: the route decides.")] = None
    language: _Language | None = None
    instructions: Annotated[_Words | None, Field(max_length=4_096, description="How; preset voices only.")] = None
    response_format: AudioFormat = AudioFormat.WAV
    speed: Annotated[Literal[1] | None, Field(description="Only 1 can be had.")] = None
    stream: Annotated[bool, Field(strict=True, description="Send the audio while it is made.")] = False
    stream_format: Annotated[
        Literal["audio", "sse"] | None,
        Field(description="Send the audio while it is made, bare or as server-sent events."),
    ] = None

    @property
    def voice_id(self) -> str:
        """Which voice, however it was written."""
        return self.voice.id if isinstance(self.voice, VoiceName) else self.voice

    @property
    def streams(self) -> bool:
        """Whether the caller wants the audio while it is made."""
        return self.stream or self.stream_format is not None


class ConsentBody(_Body):
    """What the speaker of a reference recording allowed."""

    scope: Annotated[tuple[_Id, ...], Field(strict=False, max_length=20)] = ()
    region: _Id | None = None
    expires_at: Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written)] | None = None
    evidence: Annotated[str | None, Field(max_length=1_000)] = None


class CloneBody(_Body):
    """Make a voice from a recording."""

    audio: Annotated[Base64Bytes, Field(min_length=1, description="The recording, in base64.")]
    transcript: Annotated[_Words, Field(max_length=2_000, description="What is said in it, word for word.")]
    language: _Language | None = None
    consent: ConsentBody = ConsentBody()


class DesignBody(_Body):
    """Make a voice from a description."""

    description: Annotated[_Words, Field(max_length=_LONGEST_DESCRIPTION)]
    preview_text: Annotated[_Words, Field(max_length=_LONGEST_PREVIEW, description="What it says first.")]
    language: _Language | None = None


class VoiceBody(_Body):
    """A voice."""

    id: str
    kind: VoiceKind
    description: str | None = None
    preview: Annotated[str | None, Field(description="Its first words, WAV in base64; when it is made.")] = None


class VoiceListBody(_Body):
    """The voices that a caller may use."""

    voices: list[VoiceBody]


class _ErrorFields(_Body):
    code: str
    message: str
    type: str
    request_id: str


class ErrorBody(_Body):
    """Why there is no answer."""

    error: _ErrorFields


def problem_with(error: ValidationError) -> Refused:
    """The first thing wrong with a body, without what was in it."""
    problem: Any = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:60] for part in problem["loc"] if isinstance(part, str)) or "the body"
    if problem["type"] == "extra_forbidden":
        return Refused(400, "unknown_parameter", f"{ascii(where)[1:-1]} is no parameter here; leave it out")
    if problem["type"] == "missing":
        return Refused(400, "missing_parameter", f"{where} is missing")
    if problem["type"] == "json_invalid":
        return Refused(400, "invalid_json", "the body is no JSON")
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return Refused(400, "invalid_parameter", f"{ascii(where)[1:-1]}: {message}")
