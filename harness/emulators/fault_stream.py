"""What can be wrong with a stream of server-sent events (providers.md A3): its form, its order, its end.

A fault turns the frames of a good stream into the pieces that go out, and says whether the connection then breaks.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

__all__ = ["STREAM_FAULTS", "ErrorFrames", "Frame", "Outgoing", "outgoing"]


class Frame(NamedTuple):
    """One event: its lines without their ends."""

    lines: tuple[str, ...]

    def encoded(self, end: str = "\n") -> bytes:
        """As it goes out, with the blank line."""
        return (end.join(self.lines) + 2 * end).encode()


class Outgoing(NamedTuple):
    """What goes out instead."""

    pieces: list[bytes]
    breaks: bool = False  # reset after the last piece; otherwise the stream ends as streams do


class ErrorFrames(NamedTuple):
    """How the protocol puts an error into a stream that has begun."""

    event: Frame  # as an event of that name
    data: Frame  # as bare data, where that is another


def outgoing(fault: str | None, frames: Sequence[Frame], errors: ErrorFrames) -> Outgoing:
    """The pieces of a stream under `fault`; those of a good one without."""
    if fault is None or fault not in STREAM_FAULTS:
        return Outgoing(_encoded(frames))
    return STREAM_FAULTS[fault](frames, errors)


def _encoded(frames: Iterable[Frame]) -> list[bytes]:
    return [frame.encoded() for frame in frames]


def _ended_by(error: Frame, frames: Sequence[Frame]) -> Outgoing:
    """Half of the stream, then an error."""
    half = (len(frames) + 1) // 2
    return Outgoing(_encoded([*frames[:half], error]))


def _error_event(frames: Sequence[Frame], errors: ErrorFrames) -> Outgoing:
    return _ended_by(errors.event, frames)


def _error_data(frames: Sequence[Frame], errors: ErrorFrames) -> Outgoing:
    return _ended_by(errors.data, frames)


def _with_crlf(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    return Outgoing([frame.encoded("\r\n") for frame in frames])


def _over_lines(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    """Each data over several lines: a line feed is as good as a blank where JSON allows one."""

    def spread(line: str) -> list[str]:
        if not line.startswith("data:"):
            return [line]
        body: dict[str, Any] = json.loads(line.removeprefix("data:"))
        members = [f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in body.items()]
        return ["data:{", *(f"data:{member}," for member in members[:-1]), f"data:{members[-1]}", "data:}"]

    return Outgoing(_encoded(Frame(tuple(part for line in frame.lines for part in spread(line))) for frame in frames))


def _without_last_blank(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    *earlier, last = _encoded(frames)
    return Outgoing([*earlier, last.removesuffix(b"\n\n")])


def _cut(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    """The connection breaks within an event."""
    half = len(frames) // 2
    torn = frames[half].encoded()
    return Outgoing([*_encoded(frames[:half]), torn[: len(torn) // 2]], breaks=True)


def _without_end(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    """The stream ends before the frame that says stop."""
    return Outgoing(_encoded(frames[:-1]))


def _stuttering(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    return Outgoing(_encoded([frames[0], *frames]))


def _swapped(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    """The first two frames change places."""
    first, *rest = frames
    return Outgoing(_encoded([*rest[:1], first, *rest[1:]]))


def _byte_by_byte(frames: Sequence[Frame], _: ErrorFrames) -> Outgoing:
    """Line ends, characters and JSON all come apart; only the heads of the frames, the audio would take for ever."""
    pieces: list[bytes] = []
    for data in _encoded(frames):
        pieces += [data[at : at + 1] for at in range(min(80, len(data)))]
        pieces.append(data[80:])
    return Outgoing([piece for piece in pieces if piece])


STREAM_FAULTS: Final[Mapping[str, Callable[[Sequence[Frame], ErrorFrames], Outgoing]]] = MappingProxyType(
    {
        "stream-bytewise": _byte_by_byte,
        "stream-crlf": _with_crlf,
        "stream-cut": _cut,
        "stream-error-data": _error_data,
        "stream-error-event": _error_event,
        "stream-multiline": _over_lines,
        "stream-no-end": _without_end,
        "stream-no-last-blank": _without_last_blank,
        "stream-stutter": _stuttering,
        "stream-swapped": _swapped,
    }
)
