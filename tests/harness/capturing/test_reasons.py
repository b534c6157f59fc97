import pytest

from harness.capturing.reasons import LeftOut, Skipped, Unusable


@pytest.mark.parametrize("kind", [Skipped, Unusable])
def test_a_reason_is_raised_or_passed_on_and_says_the_same(kind: type[LeftOut]) -> None:
    with pytest.raises(LeftOut, match="no end") as caught:
        raise kind("no end")

    assert caught.value.reason == str(caught.value) == "no end"
