"""What a provider's refusal means: its code first, its status only where the code says nothing.

A status alone misleads: DashScope reports an unpaid bill as 429, a full voice store as a 400 called throttling, and an
error inside a 200 (providers.md A7).
"""

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from harness.errors import KINDS, ErrorKind
from harness.exchanges import Failure

__all__ = ["dashscope_failure", "modal_failure"]

_K = ErrorKind
# In lower case. Codes whose meaning hangs on their message stand in `_by_message`.
_CODES: Final = MappingProxyType(
    {
        "invalidparameter": _K.BAD_REQUEST,
        "invalid_value": _K.VOICE_NOT_FOUND,  # a voice of another target_model
        "badrequest.inputdownloadfailed": _K.BAD_REFERENCE,
        "badrequest.unsupportedfileformat": _K.BAD_REFERENCE,
        "badrequest.voicenotfound": _K.VOICE_NOT_FOUND,
        "voicenotfound": _K.VOICE_NOT_FOUND,
        "invalidparameter.datainspection": _K.BAD_REFERENCE,
        "datainspectionfailed": _K.CONTENT_BLOCKED,
        "data_inspection_failed": _K.CONTENT_BLOCKED,
        "content_policy_violation": _K.CONTENT_BLOCKED,
        "clientdisconnect": _K.UNKNOWN_OUTCOME,
        "arrearage": _K.BILLING,
        "allocationquota.freetieronly": _K.BILLING,
        "commoditynotpurchased": _K.BILLING,
        "prepaidbilloverdue": _K.BILLING,
        "postpaidbilloverdue": _K.BILLING,
        "invalidapikey": _K.AUTH,
        "invalid_api_key": _K.AUTH,
        "not authorized": _K.AUTH,
        "auth_failed": _K.AUTH,
        "permission_denied": _K.AUTH,
        "authenticationerror": _K.AUTH,
        "permissiondeniederror": _K.AUTH,
        "workspacenotfound": _K.AUTH,
        "modelnotfound": _K.MODEL_RETIRED,
        "model_not_found": _K.MODEL_RETIRED,
        "model.notexist": _K.MODEL_RETIRED,
        "resource_not_found": _K.MODEL_RETIRED,
        "notfounderror": _K.MODEL_RETIRED,
        "notfound": _K.MODEL_RETIRED,
        "requesttoolarge": _K.BAD_REQUEST,
        "request_too_large": _K.BAD_REQUEST,
        "requesttoolargeerror": _K.BAD_REQUEST,
        "invalid_request": _K.BAD_REQUEST,
        "missing_parameter": _K.BAD_REQUEST,
        "invalid_url": _K.BAD_REQUEST,
        "badrequesterror": _K.BAD_REQUEST,
        "invalid_file": _K.BAD_REFERENCE,
        "throttling": _K.RATE_LIMITED,
        "throttling.ratequota": _K.RATE_LIMITED,
        "throttling.burstrate": _K.RATE_LIMITED,
        "limitrequests": _K.RATE_LIMITED,
        "limit_requests": _K.RATE_LIMITED,
        "limit_burst_rate": _K.RATE_LIMITED,
        "rate_limit_exceeded": _K.RATE_LIMITED,
        "concurrency_limit_exceeded": _K.RATE_LIMITED,
        "ratelimiterror": _K.RATE_LIMITED,
        "throttling.allocationquota": _K.QUOTA,
        "insufficient_quota": _K.QUOTA,
        "requesttimeout": _K.TIMEOUT_READ,
        "responsetimeout": _K.TIMEOUT_READ,
        "internalerror.timeout": _K.TIMEOUT_READ,
        "gatewaytimeout": _K.TIMEOUT_READ,
        "gatewaytimeouterror": _K.TIMEOUT_READ,
        "request_timeout": _K.TIMEOUT_READ,
        "internalerror": _K.OVERLOADED,
        "internal_error": _K.OVERLOADED,
        "systemerror": _K.OVERLOADED,
        "modelservicefailed": _K.OVERLOADED,
        "modelservingerror": _K.OVERLOADED,  # "due to system capacity limits": theirs, not our quota
        "modelunavailable": _K.OVERLOADED,
        "serviceunavailable": _K.OVERLOADED,
        "service_unavailable": _K.OVERLOADED,
        "serviceunavailableerror": _K.OVERLOADED,
        "internalservererror": _K.OVERLOADED,
    }
)
# Families, for codes that are not listed; the first match counts.
_FAMILIES: Final = (
    (re.compile(r"audio\..*"), _K.BAD_REFERENCE),
    (re.compile(r"badrequest\..*"), _K.BAD_REQUEST),
    (re.compile(r"throttling\..*"), _K.RATE_LIMITED),
    (re.compile(r"internalerror\..*"), _K.OVERLOADED),
    (re.compile(r"(.*\.)?accessdenied(\..*)?"), _K.AUTH),
)
_STATUSES: Final = MappingProxyType(
    {
        401: _K.AUTH,
        403: _K.AUTH,
        408: _K.TIMEOUT_READ,
        429: _K.RATE_LIMITED,
        504: _K.TIMEOUT_READ,
    }
)
_SECRETIVE: Final = re.compile(r"https?://\S+|\b(sk|ak|as|wk|ws)-\S+|Bearer\s+\S+|\S*(Signature|AccessKeyId)=\S*", re.I)
_LONGEST_MESSAGE: Final = 300
_LONGEST_CODE: Final = 80


def dashscope_failure(
    status: int, code: str | None, message: str | None, *, private: Iterable[str | None] = ()
) -> Failure:
    """The failure that a DashScope reply stands for.

    Args:
        status: The HTTP status.
        code: `code` of the envelope; None where the body was no envelope.
        message: `message` of the envelope, or the start of any other body.
        private: The caller's own words, which must not come back in the failure's detail.
    """
    code = _safe(code, ())[:_LONGEST_CODE] if code else None
    kind = _dashscope_kind(status, (code or "").lower(), (message or "").lower())
    return Failure(kind=kind, code=code, detail=_detail(status, code, message, kind, private))


def _dashscope_kind(status: int, code: str, message: str) -> ErrorKind:
    kind = _by_message(code, message, status) or _CODES.get(code)
    if kind is None and code:
        kind = next((kind for pattern, kind in _FAMILIES if pattern.fullmatch(code)), None)
    if kind is None and status == 404 and "model" in code + message:
        # What a retired model answers is not documented; a 404 that speaks of a model is the likely form.
        return _K.MODEL_RETIRED
    return kind or _by_status(status)


def _by_message(code: str, message: str, status: int) -> ErrorKind | None:
    """What only the message tells; None where the code is enough."""
    if code == "invalidparameter" and "model not exist" in message:
        return _K.MODEL_RETIRED
    if code == "invalidparameter" and "voice" in message and ("does not exist" in message or "invalid" in message):
        return _K.VOICE_NOT_FOUND
    if code == "invalid_value" and "voice" not in message:
        return _K.BAD_REQUEST  # realtime says this of any field of its session
    if code in ("throttling.allocationquota", "insufficient_quota") and status == 429:
        if "free" in message:
            return _K.BILLING
        if "allocated quota exceeded" in message:  # tokens a minute: it comes back
            return _K.RATE_LIMITED
    return None


def modal_failure(status: int, body: str, detail: str | None, *, private: Iterable[str | None] = ()) -> Failure:
    """The failure that a reply of the legacy path stands for.

    Args:
        status: The HTTP status.
        body: The start of the body as text.
        detail: FastAPI's `detail`, where the body is JSON and has one; None tells of the platform itself.
        private: The caller's own words, which must not come back in the failure's detail.
    """
    message = detail if detail is not None else body
    if status == 400 and message.lower().startswith(("unsupported language", "unsupported speaker")):
        kind = _K.UNSUPPORTED
    elif status == 404:
        # The app does not have this path, or there is no such app (any more).
        gone = detail is None or ("model" in detail.lower() and "not exist" in detail.lower())
        kind = _K.MODEL_RETIRED if gone else _K.UNSUPPORTED
    else:
        kind = _by_status(status)
    code = "modal-http" if body.startswith("modal-http:") else None
    return Failure(kind=kind, code=code, detail=_detail(status, code, message, kind, private))


def _by_status(status: int) -> ErrorKind:
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return _K.BAD_REQUEST
    return _K.OVERLOADED if status >= 500 else _K.BAD_RESPONSE


def _detail(status: int, code: str | None, message: str | None, kind: ErrorKind, private: Iterable[str | None]) -> str:
    """One sentence from the provider's own, without what must not be kept."""
    said = _safe(message or "", private)
    return f"{KINDS[kind].meaning}: HTTP {status}{f' {code}' if code else ''}{f', {said}' if said else ''}"


def _safe(message: str, private: Iterable[str | None]) -> str:
    """`message` in one printable line, free of keys, addresses and the caller's words."""
    message = message[: 2 * _LONGEST_MESSAGE]  # before anything is searched in it: it may have millions
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    line = _SECRETIVE.sub("***", line)
    for words in private:
        if words and _quotes(line, words):
            return "a message that quotes the request"
    return line[:_LONGEST_MESSAGE]


def _quotes(line: str, words: str) -> bool:
    """Whether `line` repeats twelve characters in a row of `words`, or all of fewer."""
    if len(words) < 4 and words.isascii():
        return False  # "Hi" is inside "this" and gives nobody away
    length = min(12, len(words))
    return any(words[start : start + length] in line for start in range(len(words) - length + 1))
