"""What no import contract can say: there is one way out, one door to data, and no place where a key could be told."""

from harness.config import PROJECT
from harness.security.code_rules import modules, unneeded_allowances, violations


def test_no_module_goes_past_a_door_or_breaks_another_rule_of_the_gate() -> None:
    assert sum(1 for _ in modules(PROJECT)) > 300, "the rules have gone blind"
    assert [str(found) for found in violations(PROJECT)] == []


def test_every_allowance_to_do_so_is_needed() -> None:
    assert [str(found) for found in unneeded_allowances(PROJECT)] == []
