import itertools
import tomllib
from pathlib import Path

import pytest

from dashboard.palette import DECISIONS, LANES, OUTCOMES, ink
from harness.exchanges import Lane
from harness.judgement import Decision, Outcome

CONFIG = tomllib.loads((Path(__file__).parents[2] / "dashboard" / ".streamlit" / "config.toml").read_text())
LIGHT, DARK = (CONFIG["theme"][theme]["backgroundColor"] for theme in ("light", "dark"))


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_every_lane_decision_and_outcome_has_a_look() -> None:
    assert (set(LANES), set(DECISIONS), set(OUTCOMES)) == (set(Lane), set(Decision), set(Outcome))


@pytest.mark.parametrize("looks", [DECISIONS, OUTCOMES], ids=["decisions", "outcomes"])
def test_no_two_outcomes_share_a_word_a_glyph_or_an_icon(looks: dict[str, object]) -> None:
    for one, other in itertools.combinations(looks.values(), 2):
        assert one.word != other.word
        assert one.glyph != other.glyph
        assert one.icon != other.icon


@pytest.mark.parametrize("background", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_can_be_seen_on_either_background(background: str) -> None:
    colours = {look.colour for looks in (LANES, DECISIONS, OUTCOMES) for look in looks.values()}

    assert {colour: _contrast(colour, background) for colour in colours if _contrast(colour, background) < 2.9} == {}


@pytest.mark.parametrize(("theme", "background"), [("light", LIGHT), ("dark", DARK)])
def test_words_in_charts_can_be_read_on_the_readers_theme(theme: str, background: str) -> None:
    assert _contrast(ink(theme), background) > 7


@pytest.mark.parametrize("background", [LIGHT, DARK], ids=["light", "dark"])
def test_words_in_charts_can_be_read_before_the_theme_is_known(background: str) -> None:
    assert _contrast(ink(None), background) > 3
