"""What can go wrong: kinds of provider failure, which are data, and our own exceptions.

    HarnessError                what we did wrong, or were given wrong; carries an exit status
    ├── ConfigError             a setting, flag or TOML file that cannot be used            (exit 2)
    ├── UsageError              a command asked for something that does not exist           (exit 2)
    ├── CaptureError            a capture file that cannot be read at all                   (exit 2)
    ├── NotAdmitted             a paid call may not go out: sending was stopped             (exit 4)
    │   └── BudgetExceeded      the next call could cost more than is left                  (exit 4)
    ├── StoreError              a run, journal, blob or database that is damaged or missing (exit 4)
    └── UndecodableAudio        bytes that are no audio we can measure                      (exit 4)

A provider's fault never becomes an exception: it is a `Failure` with an `ErrorKind` (harness/exchanges.py).
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "KINDS",
    "BudgetExceeded",
    "CaptureError",
    "Charge",
    "ConfigError",
    "ErrorKind",
    "HarnessError",
    "KindFacts",
    "NotAdmitted",
    "StoreError",
    "UndecodableAudio",
    "UsageError",
]


class ErrorKind(StrEnum):
    """Why an exchange failed; with `ok`, the outcomes of which every request has exactly one."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_READ = "timeout_read"
    TIMEOUT_TOTAL = "timeout_total"
    CONN_RESET = "conn_reset"
    DNS = "dns"
    TLS = "tls"
    AUTH = "auth"
    QUOTA = "quota"
    BILLING = "billing"
    MODEL_RETIRED = "model_retired"
    VOICE_NOT_FOUND = "voice_not_found"
    BAD_REQUEST = "bad_request"
    BAD_REFERENCE = "bad_reference"
    CONTENT_BLOCKED = "content_blocked"
    BAD_RESPONSE = "bad_response"
    BAD_AUDIO = "bad_audio"
    EMPTY_AUDIO = "empty_audio"
    TRUNCATED_AUDIO = "truncated_audio"
    URL_EXPIRED = "url_expired"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    BUDGET = "budget"
    CANCELLED = "cancelled"
    UNKNOWN_OUTCOME = "unknown_outcome"
    INTERNAL = "internal"


class Charge(StrEnum):
    """What a failed call is booked at when the provider did not say."""

    NOTHING = "nothing"  # surely not billed: refused before any work
    WORST = "worst"  # may have been billed: keep the whole reservation as spent


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFacts:
    """What one kind of failure means for retry, health and money."""

    retriable: bool  # another attempt can help
    blames_provider: bool  # counts in its error rate and breaker
    charge: Charge  # when in doubt
    meaning: str


def _facts(retriable: bool, blames_provider: bool, charge: Charge, meaning: str) -> KindFacts:
    return KindFacts(retriable=retriable, blames_provider=blames_provider, charge=charge, meaning=meaning)


_YES, _NO = True, False
KINDS: Final = MappingProxyType(
    {
        # kind                     retriable, blames, charge in doubt, meaning
        ErrorKind.RATE_LIMITED: _facts(_YES, _NO, Charge.NOTHING, "our own quota was exceeded"),
        ErrorKind.OVERLOADED: _facts(_YES, _YES, Charge.WORST, "the provider failed or shed load"),
        ErrorKind.TIMEOUT_CONNECT: _facts(_YES, _YES, Charge.NOTHING, "no connection in time"),
        ErrorKind.TIMEOUT_READ: _facts(_YES, _YES, Charge.WORST, "the reply stalled"),
        ErrorKind.TIMEOUT_TOTAL: _facts(_NO, _YES, Charge.WORST, "the deadline passed"),
        ErrorKind.CONN_RESET: _facts(_YES, _YES, Charge.WORST, "the connection broke"),
        ErrorKind.DNS: _facts(_YES, _YES, Charge.NOTHING, "the host name did not resolve"),
        ErrorKind.TLS: _facts(_NO, _YES, Charge.NOTHING, "the certificate was refused"),
        ErrorKind.AUTH: _facts(_NO, _NO, Charge.NOTHING, "the key was refused"),
        ErrorKind.QUOTA: _facts(_NO, _NO, Charge.NOTHING, "an allocation is used up"),
        ErrorKind.BILLING: _facts(_NO, _NO, Charge.NOTHING, "the account is not in good standing"),
        ErrorKind.MODEL_RETIRED: _facts(_NO, _YES, Charge.NOTHING, "the model is gone or unknown"),
        ErrorKind.VOICE_NOT_FOUND: _facts(_NO, _NO, Charge.NOTHING, "no such voice there"),
        ErrorKind.BAD_REQUEST: _facts(_NO, _NO, Charge.NOTHING, "the request was refused"),
        ErrorKind.BAD_REFERENCE: _facts(_NO, _NO, Charge.NOTHING, "reference audio was refused"),
        ErrorKind.CONTENT_BLOCKED: _facts(_NO, _NO, Charge.NOTHING, "the content filter refused"),
        ErrorKind.BAD_RESPONSE: _facts(_YES, _YES, Charge.WORST, "the reply made no sense"),
        ErrorKind.BAD_AUDIO: _facts(_NO, _YES, Charge.WORST, "the audio does not decode"),
        ErrorKind.EMPTY_AUDIO: _facts(_NO, _YES, Charge.WORST, "the audio is empty or silent"),
        ErrorKind.TRUNCATED_AUDIO: _facts(_NO, _YES, Charge.WORST, "the audio ends too early"),
        ErrorKind.URL_EXPIRED: _facts(_NO, _YES, Charge.WORST, "the audio address had expired"),
        ErrorKind.TOO_LARGE: _facts(_NO, _YES, Charge.WORST, "the reply passed its size cap"),
        ErrorKind.UNSUPPORTED: _facts(_NO, _NO, Charge.NOTHING, "cannot be expressed there"),
        ErrorKind.BUDGET: _facts(_NO, _NO, Charge.NOTHING, "not sent: the budget was used up"),
        ErrorKind.CANCELLED: _facts(_NO, _NO, Charge.WORST, "stopped by us while under way"),
        ErrorKind.UNKNOWN_OUTCOME: _facts(_NO, _YES, Charge.WORST, "sent, and never heard of again"),
        ErrorKind.INTERNAL: _facts(_NO, _NO, Charge.WORST, "our own fault"),
    }
)


class HarnessError(Exception):
    """Ours to mend: the message says what happened, to what, and what to do next."""

    exit_status = 4


class ConfigError(HarnessError):
    """A setting, flag or TOML file cannot be used."""

    exit_status = 2


class UsageError(HarnessError):
    """A command was asked for something that does not exist or cannot be done."""

    exit_status = 2


class CaptureError(HarnessError):
    """A capture file cannot be read at all; single bad lines are quarantined instead."""

    exit_status = 2


class NotAdmitted(HarnessError):
    """A paid call may not go out; `kind` is the outcome of the request that needed it."""

    kind = ErrorKind.CANCELLED


class BudgetExceeded(NotAdmitted):
    """The next call could cost more than is left."""

    kind = ErrorKind.BUDGET


class StoreError(HarnessError):
    """A run, journal, blob or database is damaged or missing."""


class UndecodableAudio(HarnessError):
    """Bytes that are no audio we can measure; `kind` says which outcome that is."""

    def __init__(self, message: str, kind: ErrorKind = ErrorKind.BAD_AUDIO) -> None:
        super().__init__(message)
        self.kind = kind
