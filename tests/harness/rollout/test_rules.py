from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.rollout.rules import DEFAULT_RULES, SpendRules, load_rules
from harness.rollout.trip import TripAction
from harness.routing.breaker import BreakerRules

DEFAULT = DEFAULT_RULES.read_text()


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="rules.toml") as refusal:
        load_rules(path)
    return str(refusal.value)


def changed(old: str, new: str) -> str:
    assert DEFAULT.count(old) == 1
    return DEFAULT.replace(old, new)


def test_the_default_file_and_the_default_breaker_agree() -> None:
    assert load_rules().breaker == BreakerRules()


def test_the_default_file_holds_what_the_study_says() -> None:
    rules = load_rules()

    assert (rules.stage.openings, rules.stage.within_s) == (2, 900)
    assert [(each.factor, each.long_s, each.short_s, each.action) for each in rules.burn.windows] == [
        (14.4, 3_600, 300, TripAction.ROLL_BACK),
        (6.0, 21_600, 1_800, TripAction.ROLL_BACK),
        (1.0, 259_200, 259_200, TripAction.TICKET),
    ]
    assert (rules.burn.objective, rules.burn.min_bad) == (0.995, 5)
    assert rules.spend.max_ratio == 1.5


def test_how_much_may_be_spent_is_for_somebody_to_decide(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(DEFAULT.replace("# hour_usd", "hour_usd").replace("# day_usd", "day_usd"))

    assert not load_rules().spend.has_caps
    assert load_rules(path).spend.has_caps
    assert not SpendRules(plan_usd_per_1k_chars=1, max_ratio=1, min_requests=1, hour_usd=1.0).has_caps


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("[", "not valid TOML", id="no TOML"),
        pytest.param(changed("schema = 1", "schema = 2"), "needs schema = 1", id="another schema"),
        pytest.param(changed("schema = 1", ""), "needs schema = 1", id="no schema"),
        pytest.param(changed("[audio]", "[sound]"), "sound is not known; valid are breaker, stage", id="unknown table"),
        pytest.param(changed("good_probes", "god_probes"), "breaker god_probes is not known", id="unknown key"),
        pytest.param(changed("max_ratio = 1.5", ""), "spend max_ratio is missing", id="missing key"),
        pytest.param(changed("consecutive = 3 ", 'consecutive = "three" '), "breaker consecutive", id="a word"),
        pytest.param(changed("consecutive = 3 ", "consecutive = 0 "), "must be a number above 0", id="zero"),
        pytest.param(changed("max_ratio = 1.5", "max_ratio = nan"), "max_ratio must be a number above 0", id="nan"),
        pytest.param(changed("[30, 60, 120, 300]", "[30, -60]"), "open_s must be a number above 0", id="negative"),
        pytest.param(changed("objective = 0.995", "objective = 1.0"), "objective must lie between", id="no failure"),
        pytest.param(changed('"ticket"', '"shrug"'), "windows number 3, action", id="unknown action"),
        pytest.param(changed("factor = 6.0, ", ""), "windows number 2, factor is missing", id="missing in a row"),
        pytest.param(
            changed("slow = { p0 = 0.05, p1 = 0.20", "slow = { p0 = 0.20, p1 = 0.05"),
            "breaker slow a CUSUM needs",
            id="sum",
        ),
        pytest.param("schema = 1\nbreaker = 1\n", "is missing", id="tables left out"),
    ],
)
def test_a_file_that_is_not_right_is_refused_and_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    assert complaint in refused(tmp_path, text)


def test_a_file_that_is_not_there_is_said_to_be_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_rules(tmp_path / "rules.toml")
