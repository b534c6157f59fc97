"""The cheapest set of captures that covers every stratum and trait, or as much of the traffic as a budget allows.

Weighted set cover by greedy choice: at most ln(n) + 1 times the cheapest set there is (Chvátal 1979), and 1 - 1/e of
the best coverage under a budget. Memory grows with the kinds of requests, not with their number.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from replay.picking.costs import Bill, Cost
from replay.picking.strata import Stratum

__all__ = ["Candidate", "Choice", "Cover", "Limits"]

_KEPT_A_GROUP: Final = 64  # candidates of one stratum with the same traits


class Limits(NamedTuple):
    """What a choice may cost; None is no limit."""

    captures: int | None = None
    chars: int | None = None
    microusd: int | None = None  # where it is counted, voices included


class Candidate(NamedTuple):
    """A capture that could be chosen; sorts by its length, then by a draw that depends on its id."""

    chars: int
    draw: float
    id: str
    cost: Cost | None = None  # None where prices are unknown; then characters count


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and what it stands for."""

    chosen: Mapping[str, Stratum]  # capture id → its stratum
    weights: Mapping[str, float]  # capture id → how many captures it stands for; adds up to all
    chars: int
    microusd: int  # where it is counted, voices included; 0 where prices are unknown
    strata: int
    strata_covered: int
    traits: int
    traits_covered: int
    traffic_covered: float  # share of captures whose stratum is covered
    failures: int  # past failures among the captures
    failures_chosen: int


@dataclass(slots=True)
class _Group:
    """Captures of one stratum with the same traits."""

    stratum: Stratum
    traits: frozenset[str]
    count: int = 0
    # A heap, the longest first; among the like of one group the shortest is the cheapest.
    cheapest: list[tuple[int, float, str, Candidate]] = field(default_factory=list)

    @property
    def items(self) -> tuple[Hashable, ...]:
        """What one capture of the group covers."""
        return (self.stratum, *sorted(self.traits))

    def add(self, candidate: Candidate) -> None:
        self.count += 1
        entry = (-candidate.chars, -candidate.draw, candidate.id, candidate)
        if len(self.cheapest) < _KEPT_A_GROUP:
            heapq.heappush(self.cheapest, entry)
        else:
            heapq.heappushpop(self.cheapest, entry)

    def candidates(self) -> Iterator[Candidate]:
        """Cheapest first."""
        for *_, candidate in sorted(self.cheapest, reverse=True):
            yield candidate


class Cover:
    """Gathers captures one by one, then chooses."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Stratum, frozenset[str]], _Group] = {}
        self._failures: list[tuple[Candidate, _Group]] = []

    def add(self, candidate: Candidate, stratum: Stratum, traits: frozenset[str], *, failed: bool = False) -> None:
        """Count a capture; one that `failed` in an earlier run comes before all others."""
        group = self._groups.setdefault((stratum, traits), _Group(stratum, traits))
        group.add(candidate)
        if failed:
            self._failures.append((candidate, group))

    def choose(self, limits: Limits, *, fill: bool = False) -> Choice:
        """Past failures first, then what covers most for its price, then, when asked, more of what is frequent."""
        basket = _Basket(limits)
        for candidate, group in sorted(self._failures, key=lambda entry: entry[0]):
            basket.take(candidate, group)
        self._cover(basket)
        if fill:
            self._fill(basket)
        return self._choice(basket)

    def _cover(self, basket: "_Basket") -> None:
        """Lazy greedy: what a group adds only shrinks, so the best of the heap is computed anew before it is taken."""
        shares = self._shares(basket.limits)
        heap: list[tuple[float, int, _Group, Candidate]] = []
        for order, group in enumerate(self._groups.values()):
            candidate = next(group.candidates())
            heap.append((-_gain(group, basket, shares) / basket.price(candidate), order, group, candidate))
        heapq.heapify(heap)
        while heap:
            _, order, group, candidate = heapq.heappop(heap)
            gain = _gain(group, basket, shares)
            if not gain:
                continue
            value = -gain / basket.price(candidate)
            if heap and value > heap[0][0]:
                heapq.heappush(heap, (value, order, group, candidate))
            else:
                basket.take(candidate, group)

    def _shares(self, limits: Limits) -> Mapping[Hashable, float]:
        """What each item is worth: all the same, or under a limit what share of the traffic it is."""
        counts: Counter[Hashable] = Counter()
        for group in self._groups.values():
            for item in group.items:
                counts[item] += group.count
        if limits == Limits():
            return dict.fromkeys(counts, 1.0)
        total = sum(group.count for group in self._groups.values())
        return {item: count / total for item, count in counts.items()}

    def _fill(self, basket: "_Basket") -> None:
        """The next seat goes to the group with the most captures for each one chosen (D'Hondt)."""
        groups = list(self._groups.values())
        reserves = [[one for one in group.candidates() if one.id not in basket.chosen] for group in groups]
        claims = [(-group.count / (basket.seats[group.items] + 1), place) for place, group in enumerate(groups)]
        heapq.heapify(claims)
        while claims:
            _, place = heapq.heappop(claims)
            group, reserve = groups[place], reserves[place]
            if reserve and basket.take(reserve.pop(0), group):
                heapq.heappush(claims, (-group.count / (basket.seats[group.items] + 1), place))

    def _choice(self, basket: "_Basket") -> Choice:
        counts: Counter[Stratum] = Counter()
        for group in self._groups.values():
            counts[group.stratum] += group.count
        strata, total = set(basket.chosen.values()), counts.total()
        traits = {trait for group in self._groups.values() for trait in group.traits}
        return Choice(
            chosen=basket.chosen,
            weights=_weights(counts, basket.chosen),
            chars=basket.chars,
            microusd=basket.bill.microusd,
            strata=len(counts),
            strata_covered=len(strata),
            traits=len(traits),
            traits_covered=len(traits & basket.covered),
            traffic_covered=sum(counts[stratum] for stratum in strata) / total if total else 0.0,
            failures=len(self._failures),
            failures_chosen=sum(candidate.id in basket.chosen for candidate, _ in self._failures),
        )


class _Basket:
    """What has been chosen so far."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.chosen: dict[str, Stratum] = {}
        self.covered: set[Hashable] = set()
        self.seats: Counter[tuple[Hashable, ...]] = Counter()  # items of a group → how many of it
        self.chars = 0
        self.bill = Bill()

    def price(self, candidate: Candidate) -> float:
        """In the unit that is limited; money where nothing is, or characters where that has no price."""
        if self.limits.chars is not None or (candidate.cost is None and self.limits.captures is None):
            return candidate.chars + 1.0
        if self.limits.microusd is None and self.limits.captures is not None:
            return 1.0
        return self.bill.more(candidate.cost) + 1.0 if candidate.cost else 1.0

    def take(self, candidate: Candidate, group: _Group) -> bool:
        """Whether the candidate fits and is now chosen."""
        if candidate.id in self.chosen:
            return False
        if self.limits.captures is not None and len(self.chosen) >= self.limits.captures:
            return False
        if self.limits.chars is not None and self.chars + candidate.chars > self.limits.chars:
            return False
        more = self.bill.more(candidate.cost) if candidate.cost else 0
        if self.limits.microusd is not None and self.bill.microusd + more > self.limits.microusd:
            return False
        self.chosen[candidate.id] = group.stratum
        self.covered |= set(group.items)
        self.seats[group.items] += 1
        self.chars += candidate.chars
        if candidate.cost:
            self.bill.add(candidate.cost)
        return True


def _gain(group: _Group, basket: _Basket, worth: Mapping[Hashable, float]) -> float:
    return sum(worth[item] for item in group.items if item not in basket.covered)


def _weights(counts: Mapping[Stratum, int], chosen: Mapping[str, Stratum]) -> dict[str, float]:
    """How many captures each chosen one stands for.

    A stratum that is not covered is stood for by those that share the most with it, operation first.
    """
    by_prefix: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for capture_id, stratum in chosen.items():
        for length in range(len(stratum) + 1):
            by_prefix[stratum[:length]].append(capture_id)
    weights = dict.fromkeys(chosen, 0.0)
    for stratum, count in counts.items():
        nearest = next((ids for length in range(len(stratum), -1, -1) if (ids := by_prefix.get(stratum[:length]))), [])
        for capture_id in nearest:
            weights[capture_id] += count / len(nearest)
    return weights
