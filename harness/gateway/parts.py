"""What the routes work with: opened by `cutover serve`, or by a test, and closed there."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.clock import Clock
from harness.gateway.books import Books
from harness.gateway.callers import Callers
from harness.gateway.dispatch import Dispatcher
from harness.gateway.idempotency import Idempotency
from harness.gateway.lanes import Lanes
from harness.gateway.limits import Limits
from harness.gateway.voice_book import VoiceBook
from harness.store.blobs import BlobStore

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Of one process."""

    callers: Callers
    limits: Limits
    idempotency: Idempotency
    voices: VoiceBook
    references: BlobStore  # recordings of voices, previews of designed ones
    dispatcher: Dispatcher
    lanes: Lanes
    books: Books
    clock: Clock
    max_body_bytes: int
    readiness: Callable[[], dict[str, str | None]]  # what could be wrong → what is, None where nothing
    metrics_text: Callable[[], bytes]
