from harness.config import PROJECT
from harness.security.allowances import ALLOWANCES
from harness.security.code_rules import RULES


def test_every_allowance_names_a_rule_a_file_and_a_reason() -> None:
    for each in ALLOWANCES:
        assert each.rule in RULES
        assert (PROJECT / each.path).is_file()
        assert each.expressions
        assert len(each.reason) > 15


def test_no_file_has_two_allowances_for_one_rule() -> None:
    places = [(each.rule, each.path) for each in ALLOWANCES]

    assert len(set(places)) == len(places)
