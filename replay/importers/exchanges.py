"""An HTTP request and its reply as any recorder tells of them, before anybody knows whether they are speech."""

from dataclasses import dataclass
from urllib.parse import parse_qs

__all__ = ["HttpExchange", "HttpReply", "SocketMessage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What came back."""

    status: int  # 0 where no reply came
    content_type: str
    body: bytes | None  # without framing and compression; None where it was not recorded whole
    error: str | None = None  # why no reply came, in the recorder's words


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketMessage:
    """One text message on a WebSocket."""

    is_sent: bool  # by the client
    at_s: float | None  # since 1970
    data: str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpExchange:
    """One request with what is known of its reply."""

    key: str  # the recorder's own id of it
    captured_at: str  # ISO 8601 with its zone
    method: str
    host: str  # lower case, without the port
    path: str  # without its query
    query: str = ""  # names the job that is asked after, or the model of a session
    messages: tuple[SocketMessage, ...] = ()  # where the request opened a WebSocket
    content_type: str
    body: bytes
    wants_sse: bool = False  # by the header that DashScope takes for it
    beside: str = ""  # our own header, as an export of captures carries it
    reply: HttpReply | None = None
    first_byte_s: float | None = None  # from sending the request to the first byte of the reply
    total_s: float | None = None  # … to the last

    def query_value(self, name: str) -> str | None:
        """The first value of this name in the query; None where it has none."""
        return parse_qs(self.query).get(name, [None])[0]
