"""Which lanes a capture goes down, and in which order: random, balanced, and the same again for the same seed.

The order within a capture decides who starts first, so over a run every lane stands equally often at every place
(and, with three lanes, equally often after every other): what a place costs cannot look like what a provider costs.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator
from typing import Final

from harness.exchanges import Lane, Leg

__all__ = ["is_repeated", "lane_orders", "legs_of"]

_TWO: Final = ((Lane.CONTROL, Lane.CANDIDATE), (Lane.CANDIDATE, Lane.CONTROL))
# The Williams square for three: each lane twice at each place and twice right after each other one.
_THREE: Final = tuple(
    tuple((Lane.CONTROL, Lane.CANDIDATE, Lane.REPEAT)[index] for index in row)
    for row in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), (0, 2, 1), (1, 0, 2))
)


def is_repeated(capture_id: str, *, seed: int, share: float) -> bool:
    """Whether the control lane of this capture is sent a second time; about `share` of all are."""
    digest = hashlib.blake2b(f"{seed}:{capture_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


def lane_orders(seed: int, *, lanes: int) -> Iterator[tuple[Lane, ...]]:
    """Endless orders of two or three lanes, each balanced block shuffled anew from the seed."""
    square: list[tuple[Lane, ...]] = list(_TWO if lanes == len(_TWO[0]) else _THREE)
    shuffler = random.Random(f"{seed}:{lanes}")
    while True:
        shuffler.shuffle(square)
        yield from square


def legs_of(
    capture_ids: Iterable[str], *, seed: int, repeat_share: float, repetitions: int = 1
) -> Iterator[tuple[Leg, ...]]:
    """The legs of each capture and repetition, in the order in which they start."""
    orders = {lanes: lane_orders(seed, lanes=lanes) for lanes in (2, 3)}
    for capture_id in capture_ids:
        lanes = 3 if is_repeated(capture_id, seed=seed, share=repeat_share) else 2
        for repetition in range(repetitions):
            yield tuple(
                Leg(capture_id=capture_id, repetition=repetition, lane=lane, position=position)
                for position, lane in enumerate(next(orders[lanes]))
            )
