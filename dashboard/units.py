"""Numbers as people read them: milliseconds, percent, dollars, and a dash where nothing was measured."""

import math

__all__ = ["amount", "count", "duration", "money", "percent", "signed"]

_MISSING = "–"


def amount(value: float | None, unit: str) -> str:
    """A gate's number in the gate's own unit (harness/judgement.py, `Finding.unit`)."""
    if value is None or math.isnan(value):
        return _MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if unit == "s":
        return duration(value)
    if unit in _FORMS:
        return _typographic(_FORMS[unit].format(value))
    return _typographic(f"{value:g} {unit}".rstrip())


_FORMS = {
    "pp": "{:+.2f} pp",
    "ratio": "×{:.3f}",
    "share": "{:.1%}",
    "usd_per_1k_chars": "${:.4f}",
    "usd": "${:.2f}",
}


def duration(seconds: float | None) -> str:
    """Milliseconds below one second, else seconds; "timed out" for infinity, which stands for a timeout."""
    if seconds is None or math.isnan(seconds):
        return _MISSING
    if math.isinf(seconds):
        return "timed out"
    if abs(seconds) < 1:
        return _typographic(f"{seconds * 1000:.0f} ms")
    return _typographic(f"{seconds:.2f} s" if abs(seconds) < 100 else f"{seconds:.0f} s")


def percent(share: float | None) -> str:
    """A share of 0 to 1 in percent, finer where it is small."""
    if share is None or math.isnan(share):
        return _MISSING
    return f"{share:.2%}" if 0 < abs(share) < 0.01 else f"{share:.1%}"


def money(usd: float | None) -> str:
    """Dollars with as many digits as matter; unknown is a dash, never $0."""
    if usd is None or math.isnan(usd):
        return _MISSING
    return _typographic(f"${usd:.2f}" if abs(usd) >= 1 else f"${usd:.4f}")


def count(number: int | None) -> str:
    """A number of things, with separators."""
    return _MISSING if number is None else f"{number:,}"


def signed(value: float | None, form: str) -> str:
    """`value` with its sign by a format such as `+.1f`; a dash for nothing."""
    if value is None or not math.isfinite(value):
        return _MISSING
    return _typographic(format(value, form))


def _typographic(text: str) -> str:
    """A true minus sign: a hyphen is easily overlooked before a number."""
    return text.replace("-", "−")
