from pathlib import Path

import pytest

from analysis.models.optional import is_there, library
from harness.errors import UsageError


def test_a_library_that_is_there_is_given() -> None:
    assert library("json", extra="similarity").dumps([1]) == "[1]"


def test_one_that_is_not_is_missed_in_one_sentence_that_says_what_to_type() -> None:
    with pytest.raises(UsageError, match=r"no_such_library is not installed .*'voice-cutover\[similarity]'"):
        library("no_such_library", extra="similarity")


def test_one_that_is_there_and_broken_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text("raise OSError('libfoo.so: cannot open')")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(UsageError, match=r"broken_library does not load \(libfoo\.so"):
        library("broken_library", extra="similarity")


def test_looking_whether_a_library_is_there_does_not_load_it() -> None:
    assert is_there("json")
    assert not is_there("no_such_library")
