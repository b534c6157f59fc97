"""Rows of a frame by the word in one of their columns, added up by the word's number.

For tens of thousands of groups, such as voices, this takes a tenth of the time of a group-by.
"""

from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Groups"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


class Groups:
    """What the words of a column make of its rows; rows without a word are one group more, the last."""

    def __init__(self, words: pl.Series) -> None:
        """Group rows by `words`: text, categories or an enumeration, one for each row."""
        self._words = words
        is_numbered = isinstance(words.dtype, pl.Categorical | pl.Enum)
        numbers = words.to_physical() if is_numbered else words.rank("dense")
        wordless = numbers.null_count()
        of_all = numbers.fill_null(0).to_numpy()
        if wordless:
            of_all = np.where(numbers.is_null().to_numpy(), int(of_all.max()) + 1, of_all.astype(np.intp))
        rows_of = np.bincount(of_all)
        is_used = rows_of > 0
        self.rows: IntArray = (np.cumsum(is_used) - 1)[of_all]  # the group of each row
        self.sizes: IntArray = rows_of[is_used]  # rows of each group
        self.named = self.sizes.size - (wordless > 0)  # groups that have a word: all, or all but the last

    def sums(self, values: pl.Series) -> FloatArray:
        """The sum of `values` in each group: exact for whole numbers up to 2**53."""
        return np.bincount(self.rows, values.to_numpy(), self.sizes.size).astype(np.float64, copy=False)

    def counts(self, places: IntArray) -> IntArray:
        """How many of the rows at `places` are in each group."""
        return np.bincount(self.rows[places], minlength=self.sizes.size)

    def determine(self, others: "Groups") -> bool:
        """Whether rows of one group here are of one group there, too."""
        one_of_each = np.empty(self.sizes.size, dtype=np.intp)
        one_of_each[self.rows] = others.rows
        return bool((one_of_each[self.rows] == others.rows).all())

    @cached_property
    def words(self) -> pl.Series:
        """The word of each group as text; null for the rows without one."""
        row_of_each = np.empty(self.sizes.size, dtype=np.intp)
        row_of_each[self.rows] = np.arange(self.rows.size)
        return self._words.gather(row_of_each).cast(pl.String)

    @cached_property
    def in_order(self) -> IntArray:
        """The groups by their words, the one without a word last."""
        return self.words.arg_sort(nulls_last=True).to_numpy().astype(np.intp)
