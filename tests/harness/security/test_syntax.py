import ast

import pytest

from harness.security.syntax import calls, imports, is_constant, keyword, last_name


def test_calls_are_told_with_what_is_called_as_it_is_written() -> None:
    tree = ast.parse("a.b(1)\nwith f(x=2): g()")

    assert [(call.lineno, name) for call, name in calls(tree)] == [(1, "a.b"), (2, "f"), (2, "g")]


def test_imports_are_told_by_their_full_name_whatever_they_are_called_here() -> None:
    tree = ast.parse("import a.b as c\nfrom d import e as f, g\ndef h():\n    import i")

    assert list(imports(tree)) == [(1, "a.b"), (2, "d.e"), (2, "d.g"), (4, "i")]


def test_a_keyword_argument_is_found_by_its_name() -> None:
    ((call, _),) = calls(ast.parse("f(1, x=2, **more)"))

    assert ast.unparse(keyword(call, "x") or ast.Constant(None)) == "2"
    assert keyword(call, "y") is None


@pytest.mark.parametrize(("source", "is_false"), [("False", True), ("0", True), ("None", False), ("x", False)])
def test_a_constant_is_recognised_when_it_is_written_out(source: str, is_false: bool) -> None:
    assert is_constant(ast.parse(source, mode="eval").body, False) == is_false


def test_the_last_part_of_a_dotted_name() -> None:
    assert (last_name("a.b.c"), last_name("c")) == ("c", "c")
