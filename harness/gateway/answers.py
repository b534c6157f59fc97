"""A whole answer to a caller, as it can be kept and given again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and body. A streamed answer has none of its body here, since it went out while it was made."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)  # ours; neither length nor type of the body
