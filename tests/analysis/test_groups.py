import numpy as np
import polars as pl
import pytest

from analysis.groups import Groups

WORDS = ["ja", "en", None, "ja", "de"]

any_kind_of_words = pytest.mark.parametrize(
    "kind", [pl.String, pl.Categorical, pl.Enum(["ja", "fr", "en", "de"])], ids=["text", "categories", "enumeration"]
)


@any_kind_of_words
def test_rows_are_counted_and_added_up_by_their_word(kind: pl.DataType) -> None:
    groups = Groups(pl.Series(WORDS, dtype=kind))

    sums = groups.sums(pl.Series([1, 2, 3, 4, 5]))

    assert dict(zip(groups.words, groups.sizes.tolist(), strict=True)) == {"ja": 2, "en": 1, "de": 1, None: 1}
    assert dict(zip(groups.words, sums.tolist(), strict=True)) == {"ja": 5.0, "en": 2.0, "de": 5.0, None: 3.0}


@any_kind_of_words
def test_groups_are_put_in_order_by_their_words_and_the_one_without_comes_last(kind: pl.DataType) -> None:
    groups = Groups(pl.Series(WORDS, dtype=kind))

    assert groups.words[groups.in_order].to_list() == ["de", "en", "ja", None]
    assert groups.named == 3
    assert groups.words[groups.named] is None


def test_only_some_rows_are_counted_and_a_group_without_any_of_them_has_none() -> None:
    groups = Groups(pl.Series(WORDS))

    counts = groups.counts(np.array([0, 2, 3]))

    assert dict(zip(groups.words, counts.tolist(), strict=True)) == {"ja": 2, "en": 0, "de": 0, None: 1}


def test_one_column_determines_another_when_no_word_of_it_meets_two() -> None:
    voices = Groups(pl.Series(["a", "a", "b", "c"]))

    assert voices.determine(Groups(pl.Series(["x", "x", "y", "y"])))
    assert not voices.determine(Groups(pl.Series(["x", "y", "y", "y"])))


@pytest.mark.parametrize(("words", "groups", "named"), [([], 0, 0), ([None, None], 1, 0), (["a"], 1, 1)])
def test_a_column_may_be_empty_or_hold_no_word(words: list[str | None], groups: int, named: int) -> None:
    found = Groups(pl.Series(words, dtype=pl.Categorical))

    assert (found.sizes.size, found.named, found.in_order.size) == (groups, named, groups)
    assert found.sums(pl.Series([1] * len(words), dtype=pl.Int64)).sum() == len(words)


def test_words_that_other_columns_know_make_no_group_here() -> None:
    frame = pl.DataFrame({"word": ["a", "b", "c", "d"]}, schema={"word": pl.Categorical})

    groups = Groups(frame.filter(pl.col("word").is_in(["b", "d"]))["word"])

    assert groups.words.to_list() == ["b", "d"]
    assert groups.rows.tolist() == [0, 1]
