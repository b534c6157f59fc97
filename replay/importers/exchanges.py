"""An HTTP request and its reply as any recorder tells of them, before anybody knows whether they are speech."""

from dataclasses import dataclass

__all__ = ["HttpExchange", "HttpReply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What came back."""

    status: int  # 0 where no reply came
    content_type: str
    body: bytes | None  # without framing and compression; None where it was not recorded whole
    error: str | None = None  # why no reply came, in the recorder's words


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpExchange:
    """One request with what is known of its reply."""

    key: str  # the recorder's own id of it
    captured_at: str  # ISO 8601 with its zone
    method: str
    host: str  # lower case, without the port
    path: str  # without its query
    content_type: str
    body: bytes
    wants_sse: bool = False  # by the header that DashScope takes for it
    reply: HttpReply | None = None
    first_byte_s: float | None = None  # from sending the request to the first byte of the reply
    total_s: float | None = None  # … to the last
