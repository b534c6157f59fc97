"""A whole answer to a caller, as it can be kept and given again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Answer", "KeptAnswer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and body. A streamed answer has none of its body here, since it went out while it was made."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)  # ours; neither length nor type of the body


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer and the request that it was for."""

    fingerprint: str  # of the request, see `SpeechRequest.fingerprint`
    at_s: float  # when it was given, in seconds since 1970
    answer: Answer

    def is_old(self, now_s: float, keep_s: float) -> bool:
        """Whether it is no longer given back."""
        return now_s - self.at_s >= keep_s
