"""Numbers as people read them: milliseconds, percent, dollars, and a dash where nothing was measured.

The numbers of gates are worded where gates are judged, in `analysis.units`.
"""

import math

__all__ = ["count", "duration", "money", "percent", "signed"]

_MISSING = "–"


def duration(seconds: float | None) -> str:
    """Milliseconds below one second, else seconds; "timed out" for infinity, which stands for a timeout."""
    if seconds is None or math.isnan(seconds):
        return _MISSING
    if math.isinf(seconds):
        return "timed out"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if abs(seconds) < 100 else f"{seconds:,.0f} s"


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent, finer where it is small."""
    if share is None or math.isnan(share):
        return _MISSING
    return f"{100 * share:.2f} %" if 0 < abs(share) < 0.01 else f"{100 * share:.1f} %"


def money(usd: float | None) -> str:
    """Dollars with as many digits as matter; unknown is a dash, never $0."""
    if usd is None or math.isnan(usd):
        return _MISSING
    return f"${usd:,.2f}" if abs(usd) >= 1 else f"${usd:.4f}"


def count(number: int | None) -> str:
    """A number of things, with separators."""
    return _MISSING if number is None else f"{number:,}"


def signed(value: float | None, form: str) -> str:
    """`value` by a format such as `+.1f`, with a true minus sign; a dash for nothing."""
    if value is None or not math.isfinite(value):
        return _MISSING
    return format(value, form).replace("-", "−")
