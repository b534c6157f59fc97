"""The gates of one operation as a chart: every range beside its limit, on a scale of its own, as inline SVG."""

import math
from html import escape
from typing import Final

from analysis.report import View
from analysis.units import amount

__all__ = ["forest"]

_WIDTH, _ROW, _TOP = 900, 26, 34
_LEFT, _RIGHT = 230, 690  # where the scale begins and ends; the limit stands at two thirds
_LIMIT_AT: Final = 2.0 / 3.0
_COLOURS: Final = {"pass": "--good", "fail": "--bad", "inconclusive": "--open", "invalid": "--void"}


def forest(operation: View) -> str:
    """The chart; empty when no gate has both a range and a limit."""
    drawn = [finding for finding in operation["findings"] if _is_drawn(finding)]
    if not drawn:
        return ""
    rows = [_row(finding, _TOP + index * _ROW) for index, finding in enumerate(drawn)]
    height, limit_x = _TOP + len(drawn) * _ROW + 8, _x(1.0)
    title = f"Gates of {operation['operation']}: estimate and range, each on a scale on which its limit is the line"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>\n'
        f'<text x="{limit_x:.1f}" y="14" text-anchor="middle">limit</text>\n'
        f'<line x1="{limit_x:.1f}" y1="20" x2="{limit_x:.1f}" y2="{height}" stroke="currentColor" '
        'stroke-dasharray="4 3"/>\n' + "\n".join(rows) + "\n</svg>"
    )


def _is_drawn(finding: View) -> bool:
    return bool(finding["limit"]) and finding["estimate"] is not None and finding["high"] is not None


def _row(finding: View, y: int) -> str:
    limit, signed = finding["limit"], finding["unit"] == "pp"
    low, middle, high = (
        _x(_place(finding[key], limit, finding["unit"])) if finding[key] is not None else float(_LEFT)
        for key in ("low", "estimate", "high")
    )
    colour = f'stroke="var({_COLOURS[finding["outcome"]]})"'
    name = finding["gate"] + (f" {finding['segment']}" if finding["segment"] else "")
    numbers = f"{amount(finding['estimate'], finding['unit'], signed=signed)}, {finding['outcome']}"
    return (
        f'<text x="0" y="{y + 4}">{escape(name)}</text>'
        f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" {colour} stroke-width="3"/>'
        f'<circle cx="{middle:.1f}" cy="{y}" r="5" fill="var({_COLOURS[finding["outcome"]]})"/>'
        f'<text x="{_RIGHT + 15}" y="{y + 4}">{escape(numbers)}</text>'
    )


def _place(value: float, limit: float, unit: str) -> float:
    """Where a value lies when nothing is at 0 and the limit at 1; a ratio is drawn by its logarithm."""
    if unit == "ratio" and limit > 0.0:
        return 1.0 + math.log2(max(value, 1e-3) / limit) / 2.0
    return value / limit


def _x(place: float) -> float:
    """The pixel of a place, held within the chart."""
    x = _LEFT + (_RIGHT - _LEFT) * _LIMIT_AT * place
    return min(max(x, float(_LEFT)), float(_RIGHT))
