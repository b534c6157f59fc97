"""Which lanes a capture goes down, and in which order: random, balanced, and the same again for the same seed.

The order within a capture decides who starts first, so over a run every lane stands equally often at every place
(and, with three lanes, equally often after every other): what a place costs cannot look like what a provider costs.
"""

import hashlib
import heapq
import random
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from typing import Final

from harness.exchanges import Capture, Lane, Leg
from harness.speech import Operation

__all__ = ["is_repeated", "lane_orders", "legs_of", "repeated_until"]

_TWO: Final = ((Lane.CONTROL, Lane.CANDIDATE), (Lane.CANDIDATE, Lane.CONTROL))
# The Williams square for three: each lane twice at each place and twice right after each other one.
_THREE: Final = tuple(
    tuple((Lane.CONTROL, Lane.CANDIDATE, Lane.REPEAT)[index] for index in row)
    for row in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 2, 1), (1, 0, 2))
)


def is_repeated(capture_id: str, *, seed: int, share: float) -> bool:
    """Whether the control lane of this capture is sent a second time; about `share` of all are."""
    return _draw(capture_id, seed) < share * 2**64


def repeated_until(pairs: int, captures: Iterable[Capture], *, seed: int) -> frozenset[str]:
    """The captures to repeat so that every operation gets `pairs` noise pairs, or all that it can give.

    They are those that a growing share would repeat first, so a share on top of it adds to them.
    """
    lowest: defaultdict[Operation, list[tuple[int, str]]] = defaultdict(list)
    for capture in captures:
        heap = lowest[capture.request.operation]
        entry = (-_draw(capture.id, seed), capture.id)  # a heap gives up its smallest: the highest draw
        if len(heap) < pairs:
            heapq.heappush(heap, entry)
        elif pairs:
            heapq.heappushpop(heap, entry)
    return frozenset(capture_id for heap in lowest.values() for _, capture_id in heap)


def _draw(capture_id: str, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}:{capture_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def lane_orders(seed: int, *, lanes: int) -> Iterator[tuple[Lane, ...]]:
    """Endless orders of two or three lanes, each balanced block shuffled anew from the seed."""
    square: list[tuple[Lane, ...]] = list(_TWO if lanes == len(_TWO[0]) else _THREE)
    shuffler = random.Random(f"{seed}:{lanes}")
    while True:
        shuffler.shuffle(square)
        yield from square


def legs_of(
    capture_ids: Iterable[str],
    *,
    seed: int,
    repeat_share: float,
    repetitions: int = 1,
    repeated: Container[str] = frozenset(),
) -> Iterator[tuple[Leg, ...]]:
    """The legs of each capture and repetition, in the order in which they start.

    Args:
        capture_ids: In the order in which they are due.
        seed: Drives order and choice of repeats.
        repeat_share: Of the captures whose control is sent a second time.
        repetitions: How often each capture is sent.
        repeated: Captures whose control is sent a second time whatever the share.
    """
    orders = {lanes: lane_orders(seed, lanes=lanes) for lanes in (2, 3)}
    for capture_id in capture_ids:
        lanes = 3 if capture_id in repeated or is_repeated(capture_id, seed=seed, share=repeat_share) else 2
        for repetition in range(repetitions):
            yield tuple(
                Leg(capture_id=capture_id, repetition=repetition, lane=lane, position=position)
                for position, lane in enumerate(next(orders[lanes]))
            )
