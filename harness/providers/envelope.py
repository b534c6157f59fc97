"""The JSON that DashScope answers every call with (providers.md A2, A5, A6, A7).

Checked once, here: keys that are new or missing are tolerated, a wrong type in one that we read is not.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["Audio", "Envelope", "Listed", "Output", "Usage", "read_envelope"]


_Short = Annotated[str, Field(max_length=512)]  # names and ids, which are kept; a message is cut later
_Count = Annotated[int, Field(ge=0, lt=2**53)]  # what JSON can carry without loss, and a table can hold
_Address = Annotated[str, Field(max_length=8_192)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class Audio(_Part):
    """Audio, or where it lies; absent keys and null mean the same."""

    data: str | None = None
    url: _Address | None = None  # signed: the query is a credential
    expires_at: _Count | None = None  # UNIX seconds
    id: _Short | None = None


class Usage(_Part):
    """What is billed."""

    characters: _Count | None = None
    input_tokens: _Count | None = None  # of the first models, which are billed by them (providers.md A2)
    output_tokens: _Count | None = None

    @property
    def tokens(self) -> dict[str, int]:
        """By kind; empty where there are none, as with all models that are billed by characters."""
        kinds = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        return {kind: count for kind, count in kinds.items() if count} if self.output_tokens else {}


class Listed(_Part):
    """One voice of a list."""

    voice: _Short
    target_model: _Short | None = None
    gmt_create: _Short | None = None


class Output(_Part):
    """What was made: which keys are there depends on the call."""

    audio: Audio | None = None
    finish_reason: _Short | None = None
    voice: _Short | None = None
    preview_audio: Audio | None = None
    fallback_mode: bool | None = None
    fallback_reason: _Short | None = None
    voice_list: list[Listed] | None = None
    total_count: _Count | None = None


class Envelope(_Part):
    """The whole reply; `code` tells of an error whatever the HTTP status says."""

    request_id: _Short | None = None
    code: _Short | None = None
    message: str | None = None
    output: Output | None = None
    usage: Usage | None = None


def read_envelope(body: bytes) -> Envelope | None:
    """The envelope in `body`; None when it is no JSON object of that shape."""
    try:
        return Envelope.model_validate_json(body)
    except ValidationError:
        return None
