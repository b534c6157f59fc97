import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.picking.costs import Cost
from replay.picking.cover import Candidate, Choice, Cover, Limits
from replay.picking.strata import Stratum


def a_stratum(language: str = "en", voice: str = "preset Cherry") -> Stratum:
    return Stratum("generate", language, "to 20", voice)


class Kind:
    """A capture in a few words: language, characters, traits."""

    def __init__(self, id: str, language: str, chars: int, *traits: str, failed: bool = False) -> None:  # noqa: A002
        self.id, self.language, self.chars, self.traits, self.failed = id, language, chars, traits, failed


def choose(*kinds: Kind, limits: Limits = Limits(), fill: bool = False) -> Choice:  # noqa: B008 - a constant
    cover = Cover()
    for kind in kinds:
        candidate = Candidate(kind.chars, 0.5, kind.id)
        cover.add(candidate, a_stratum(kind.language), frozenset(kind.traits), failed=kind.failed)
    return cover.choose(limits, fill=fill)


def test_every_stratum_is_covered_by_its_cheapest_capture() -> None:
    choice = choose(Kind("a", "en", 10), Kind("b", "en", 5), Kind("c", "de", 7), Kind("d", "de", 8))

    assert set(choice.chosen) == {"b", "c"}
    assert (choice.chars, choice.strata, choice.strata_covered, choice.traffic_covered) == (12, 2, 2, 1.0)


def test_one_capture_that_covers_much_beats_several_that_cover_little() -> None:
    choice = choose(
        Kind("a", "en", 10, "digits"), Kind("b", "en", 10, "question"), Kind("c", "en", 12, "digits", "question")
    )

    assert set(choice.chosen) == {"c"}
    assert (choice.traits, choice.traits_covered) == (2, 2)


def test_a_limit_takes_what_covers_most_of_the_traffic() -> None:
    kinds = [Kind(f"en{number}", "en", 10) for number in range(9)] + [Kind("de", "de", 1)]

    choice = choose(*kinds, limits=Limits(captures=1))

    assert list(choice.chosen.values()) == [a_stratum("en")]
    assert choice.traffic_covered == 0.9


def test_a_budget_of_characters_is_never_passed_and_smaller_ones_still_fit() -> None:
    choice = choose(Kind("a", "en", 90), Kind("b", "de", 20), Kind("c", "fr", 10), limits=Limits(chars=35))

    assert set(choice.chosen) == {"b", "c"}
    assert choice.chars == 30


def test_past_failures_come_first_the_cheapest_before_the_others() -> None:
    kinds = [Kind("dear", "en", 90, failed=True), Kind("cheap", "en", 80, failed=True), Kind("other", "de", 1)]

    choice = choose(*kinds, limits=Limits(captures=1))

    assert set(choice.chosen) == {"cheap"}
    assert (choice.failures, choice.failures_chosen) == (2, 1)


def test_filling_gives_seats_by_frequency() -> None:
    kinds = [Kind(f"en{number}", "en", 1) for number in range(60)] + [
        Kind(f"de{number}", "de", 1) for number in range(20)
    ]

    choice = choose(*kinds, limits=Limits(captures=8), fill=True)

    languages = [stratum.language for stratum in choice.chosen.values()]
    assert (languages.count("en"), languages.count("de")) == (6, 2)


def test_filling_ends_when_there_is_nothing_left() -> None:
    assert len(choose(Kind("a", "en", 1), Kind("b", "en", 1), limits=Limits(captures=9), fill=True).chosen) == 2


def test_weights_say_how_many_captures_each_stands_for() -> None:
    choice = choose(Kind("a", "en", 1), Kind("b", "en", 2), Kind("c", "en", 3), Kind("d", "de", 1))

    assert choice.weights == {"a": 3.0, "d": 1.0}


def test_what_is_not_covered_is_stood_for_by_what_is_nearest() -> None:
    cover = Cover()
    for id_, stratum in (
        ("a", a_stratum("en", "preset Cherry")),
        ("b", a_stratum("en", "preset Vivian")),
        ("c", a_stratum("de")),
    ):
        cover.add(Candidate(1, 0.5, id_), stratum, frozenset(), failed=id_ != "b")

    choice = cover.choose(Limits(captures=2))

    assert choice.weights == {"a": 2.0, "c": 1.0}  # b shares language and length with a


def test_nothing_to_choose_from_is_an_empty_choice() -> None:
    choice = choose()

    assert (dict(choice.chosen), dict(choice.weights), choice.traffic_covered) == ({}, {}, 0.0)


KINDS = st.lists(
    st.tuples(st.sampled_from(["en", "de", "fr", "zh"]), st.integers(1, 40), st.sets(st.sampled_from("abc"))),
    min_size=1,
    max_size=9,
)


@given(KINDS, st.none() | st.integers(1, 8), st.none() | st.integers(1, 100), st.booleans())
def test_limits_hold_and_weights_add_up_to_all(
    some: list[tuple[str, int, set[str]]], captures: int | None, chars: int | None, fill: bool
) -> None:
    kinds = [Kind(str(number), *fields[:2], *sorted(fields[2])) for number, fields in enumerate(some)]

    choice = choose(*kinds, limits=Limits(captures, chars), fill=fill)

    assert captures is None or len(choice.chosen) <= captures
    assert choice.chars == sum(kind.chars for kind in kinds if kind.id in choice.chosen)
    assert chars is None or choice.chars <= chars
    assert not choice.chosen or sum(choice.weights.values()) == pytest.approx(len(kinds))
    if captures is None and chars is None:
        assert (choice.strata_covered, choice.traits_covered) == (choice.strata, choice.traits)


@given(KINDS)
def test_the_price_is_within_the_bound_of_greedy_cover(some: list[tuple[str, int, set[str]]]) -> None:
    kinds = [Kind(str(number), *fields[:2], *sorted(fields[2])) for number, fields in enumerate(some)]
    items = {kind.language for kind in kinds} | {trait for kind in kinds for trait in kind.traits}
    best = min(
        sum(kind.chars + 1 for kind in subset)
        for size in range(1, len(kinds) + 1)
        for subset in combinations(kinds, size)
        if {kind.language for kind in subset} | {trait for kind in subset for trait in kind.traits} == items
    )

    choice = choose(*kinds)

    harmonic = sum(1 / number for number in range(1, 4 + 1))  # an item for the language, up to three traits
    assert choice.chars + len(choice.chosen) <= best * harmonic + 1e-9


def test_memory_grows_with_the_kinds_and_not_with_their_number() -> None:
    dice = random.Random(7)
    cover = Cover()

    for number in range(20_000):
        cover.add(Candidate(dice.randrange(1_000), dice.random(), str(number)), a_stratum(), frozenset())

    choice = cover.choose(Limits(captures=200), fill=True)
    assert len(choice.chosen) == 64  # as many as are remembered of one kind
    assert choice.weights[next(iter(choice.chosen))] == pytest.approx(20_000 / 64)


def priced(id_: str, chars: int, cost: Cost, stratum: Stratum) -> tuple[Candidate, Stratum]:
    return Candidate(chars, 0.5, id_, cost), stratum


def test_money_counts_where_it_is_known_and_a_voice_is_paid_once() -> None:
    cover = Cover()
    dear, cheap = Cost(10, "anna", 200_000), Cost(900)
    design = a_stratum("en", "design anna")
    for candidate, stratum in (
        priced("short", 5, dear, design),
        priced("short too", 6, dear, design._replace(language="de")),
        priced("long", 90, cheap, a_stratum("fr")),
    ):
        cover.add(candidate, stratum, frozenset())

    assert cover.choose(Limits()).microusd == 200_000 + 2 * 10 + 900
    assert set(cover.choose(Limits(microusd=1_000)).chosen) == {"long"}
    assert set(cover.choose(Limits(microusd=200_020)).chosen) in ({"short", "short too"}, {"long"})


@given(KINDS, st.integers(0, 2_000))
def test_a_budget_of_money_is_never_passed(some: list[tuple[str, int, set[str]]], budget: int) -> None:
    cover, costs = Cover(), {}
    for number, (language, chars, traits) in enumerate(some):
        costs[str(number)] = Cost(chars, language, 300)
        cover.add(Candidate(chars, 0.5, str(number), costs[str(number)]), a_stratum(language), frozenset(traits))

    choice = cover.choose(Limits(microusd=budget), fill=True)

    voices = {costs[name].voice for name in choice.chosen}
    assert choice.microusd == sum(costs[name].microusd for name in choice.chosen) + 300 * len(voices) <= budget
