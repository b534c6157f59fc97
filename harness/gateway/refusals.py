"""Why a caller gets no audio: one exception with a status, a stable code and a sentence that tells nothing internal."""

from http import HTTPStatus
from typing import Any, Final

__all__ = ["Refused", "body_of"]

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


class Refused(Exception):
    """An answer with an error status; whatever raises it decides what the caller may know."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        type: str | None = None,  # noqa: A002 - the field's own name
        retry_after_s: float | None = None,
    ) -> None:
        """Refuse a request.

        Args:
            status: Of HTTP.
            code: For programs; never changes once it was used.
            message: For people: what is wrong and what to do. Holds no text, key or address.
            type: The family of the error, as OpenAI names them; default: by the status.
            retry_after_s: When it is worth another try.
        """
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.type = type or _type_of(status)
        self.retry_after_s = retry_after_s


def _type_of(status: int) -> str:
    if status in _TYPES:
        return _TYPES[status]
    return "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"


def body_of(refused: Refused, *, request_id: str) -> dict[str, Any]:
    """The JSON body that goes with it."""
    error = {"code": refused.code, "message": refused.message, "type": refused.type, "request_id": request_id}
    return {"error": error}
