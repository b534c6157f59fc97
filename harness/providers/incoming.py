"""Speech that comes in while it is made, by whatever protocol: its samples so far, its bill, and how it ended."""

from abc import ABC, abstractmethod

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.pcm_stream import PcmStream

__all__ = ["IncomingSpeech"]


class IncomingSpeech(ABC):
    """One synthesis under way; the protocols fill it in."""

    delivery: str

    def __init__(self, *, private: tuple[str | None, ...]) -> None:
        """Begin.

        Args:
            private: The caller's own words, which must not come back in a failure's detail.
        """
        self.pcm = PcmStream()
        self.events = 0
        self.request_id: str | None = None
        self.reported_chars: int | None = None
        self.billed_tokens: dict[str, int] = {}  # of a model that is billed by them
        self.url: str | None = None  # of the complete file, where the protocol gives one
        self._private = private
        self._failure: Failure | None = None

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether the provider itself said that this was all."""

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """What else is worth keeping."""

    @property
    def heard(self) -> bool:
        """Whether a listener has had some of it."""
        return bool(self.pcm.data)

    @property
    def problem(self) -> Failure | None:
        """Why it is no complete speech; None when it is."""
        if self._failure:
            return self._failure
        if not self.events:
            return nonsense("the stream holds no event")
        if not self.is_complete or self.pcm.ends_in_a_sample:
            came = f"{len(self.pcm.data)} bytes of audio in {self.events} events"
            return Failure(kind=ErrorKind.TRUNCATED_AUDIO, code=None, detail=f"the stream ended early, after {came}")
        return None

    def failure_after(self, fault: Failure) -> Failure:
        """What a connection that broke means: the stream's own error, audio cut off, or only what broke it."""
        if self._failure:
            return self._failure
        cut = self.heard and fault.kind is ErrorKind.CONN_RESET
        return (self.problem if cut else None) or fault

    def _common_facts(self) -> dict[str, object]:
        return {
            "delivery": self.delivery,
            "stream_pieces": len(self.pcm.arrivals),
            "stream_paused_s": round(self.pcm.paused_s, 6),
        }


def nonsense(detail: str) -> Failure:
    """A reply that is not what was agreed on."""
    return Failure(kind=ErrorKind.BAD_RESPONSE, code=None, detail=detail)
