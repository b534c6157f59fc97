"""The words, icons and colours of lanes and outcomes: the same on every page, and never a colour alone.

Lanes are blue and orange, which every common colour blindness tells apart; the noise lane is grey and dashed.
All colours keep a contrast of 3 to 1 or more on the light and on the dark background.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from harness.exchanges import Lane
from harness.judgement import Decision, Outcome

__all__ = ["DECISIONS", "LANES", "OUTCOMES", "LaneLook", "Look", "ink"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How an outcome or a decision is shown."""

    word: str
    glyph: str  # for charts and tables, which have no icons
    icon: str  # Streamlit's name of a Material symbol
    colour: str  # hex
    name: str  # Streamlit's name of the nearest text colour


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLook:
    """How a lane is shown."""

    word: str
    colour: str  # hex
    name: str  # Streamlit's name of that colour (.streamlit/config.toml sets it)
    dash: tuple[int, int]  # of lines; (1, 0) is solid


_GREEN: Final = "#1B9469"
_RED: Final = "#D2403A"
_OCHRE: Final = "#A97B12"
_SLATE: Final = "#6E7B8B"

OUTCOMES: Final = MappingProxyType(
    {
        Outcome.PASS: Look(word="pass", glyph="✓", icon=":material/check_circle:", colour=_GREEN, name="green"),
        Outcome.FAIL: Look(word="fail", glyph="✕", icon=":material/cancel:", colour=_RED, name="red"),
        Outcome.INCONCLUSIVE: Look(
            word="inconclusive", glyph="?", icon=":material/hourglass_top:", colour=_OCHRE, name="yellow"
        ),
        Outcome.INVALID: Look(word="invalid", glyph="!", icon=":material/report:", colour=_SLATE, name="gray"),
    }
)
DECISIONS: Final = MappingProxyType(
    {
        Decision.GO: Look(word="GO", glyph="✓", icon=":material/check_circle:", colour=_GREEN, name="green"),
        Decision.NO_GO: Look(word="NO-GO", glyph="✕", icon=":material/cancel:", colour=_RED, name="red"),
        Decision.INCONCLUSIVE: Look(
            word="INCONCLUSIVE", glyph="?", icon=":material/hourglass_top:", colour=_OCHRE, name="yellow"
        ),
        Decision.INVALID: Look(word="INVALID", glyph="!", icon=":material/report:", colour=_SLATE, name="gray"),
    }
)
LANES: Final = MappingProxyType(
    {
        Lane.CONTROL: LaneLook(word="Control (legacy)", colour="#2F74C0", name="blue", dash=(1, 0)),
        Lane.CANDIDATE: LaneLook(word="Candidate (Qwen)", colour="#DD7A0B", name="orange", dash=(1, 0)),
        Lane.REPEAT: LaneLook(word="Repeat (legacy again)", colour="#87909C", name="gray", dash=(5, 3)),
    }
)


def ink(theme: str | None) -> str:
    """The colour of words in charts on a `light` or `dark` page; one that both bear when it is not known."""
    return {"light": "#31333F", "dark": "#FAFAFA"}.get(theme or "", "#808894")
