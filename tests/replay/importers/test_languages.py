import pytest

from replay.importers.languages import iso_code
from replay.importers.records import Unusable


@pytest.mark.parametrize(
    ("spelled", "code"),
    [
        ("en", "en"),
        ("EN_us", "en"),
        ("en-US", "en"),
        ("English", "en"),
        ("eng", "en"),
        ("zh-Hans-CN", "zh"),
        ("cmn", "zh"),
        (" Portuguese ", "pt"),
        ("ger", "de"),
        ("Auto", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_known_by_the_names_that_callers_use(spelled: str | None, code: str | None) -> None:
    assert iso_code(spelled) == code


@pytest.mark.parametrize("spelled", ["nl", "Cantonese", "yue", "english please", "e"])
def test_a_language_that_neither_provider_speaks_is_unusable(spelled: str) -> None:
    with pytest.raises(Unusable, match="the language is none of zh, en"):
        iso_code(spelled)
