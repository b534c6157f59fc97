import pytest

from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.incoming import IncomingSpeech, nonsense

RESET = Failure(kind=ErrorKind.CONN_RESET, code=None, detail="the connection broke")
STALL = Failure(kind=ErrorKind.TIMEOUT_READ, code=None, detail="the reply stalled")


class Speech(IncomingSpeech):
    """The least a protocol adds: whether it was all."""

    delivery = "by hand"

    def __init__(self, *, samples: bytes = b"", events: int = 1, complete: bool = False) -> None:
        super().__init__(private=())
        self.pcm.add(samples, at_s=1.0)
        self.events = events
        self._complete = complete

    @property
    def is_complete(self) -> bool:
        return self._complete

    def facts(self) -> dict[str, object]:
        return self._common_facts()


def failed(speech: Speech, failure: Failure) -> Speech:
    speech._failure = failure
    return speech


@pytest.mark.parametrize(
    ("speech", "kind"),
    [
        pytest.param(Speech(samples=b"ab", complete=True), None, id="complete"),
        pytest.param(Speech(samples=b"ab"), ErrorKind.TRUNCATED_AUDIO, id="without its end"),
        pytest.param(Speech(samples=b"abc", complete=True), ErrorKind.TRUNCATED_AUDIO, id="half a sample"),
        pytest.param(Speech(events=0), ErrorKind.BAD_RESPONSE, id="nothing at all"),
        pytest.param(failed(Speech(complete=True), STALL), ErrorKind.TIMEOUT_READ, id="its own failure first"),
    ],
)
def test_only_whole_speech_has_no_problem(speech: Speech, kind: ErrorKind | None) -> None:
    assert (speech.problem and speech.problem.kind) == kind


@pytest.mark.parametrize(
    ("speech", "fault", "kind"),
    [
        pytest.param(Speech(samples=b"ab"), RESET, ErrorKind.TRUNCATED_AUDIO, id="cut off while it spoke"),
        pytest.param(Speech(), RESET, ErrorKind.CONN_RESET, id="cut off before"),
        pytest.param(Speech(samples=b"ab", complete=True), RESET, ErrorKind.CONN_RESET, id="broken after its end"),
        pytest.param(Speech(samples=b"ab"), STALL, ErrorKind.TIMEOUT_READ, id="a stall"),
        pytest.param(failed(Speech(), nonsense("x")), RESET, ErrorKind.BAD_RESPONSE, id="its own failure first"),
    ],
)
def test_a_broken_connection_means_what_had_come_by_then(speech: Speech, fault: Failure, kind: ErrorKind) -> None:
    assert speech.failure_after(fault).kind is kind


def test_how_smoothly_it_came_is_kept() -> None:
    assert Speech(samples=b"ab").facts() == {"delivery": "by hand", "stream_pieces": 1, "stream_paused_s": 0.0}
