from harness.security.check import Profile, Severity
from tests.harness.security.a_gate import a_check


def test_the_long_forms_are_for_a_release() -> None:
    check = a_check()

    assert check.nodes(Profile.CI) == ("tests/test_x.py::test_a",)
    assert check.nodes(Profile.RELEASE) == ("tests/test_x.py::test_a", "tests/test_x.py::test_long")


def test_what_is_grave_decides_alone() -> None:
    assert [severity for severity in Severity if severity.decides] == [Severity.CRITICAL, Severity.HIGH]
