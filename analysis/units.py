"""How the numbers of a finding read: raw with a unit inside, percent, seconds and dollars where a person looks."""

from typing import Final

__all__ = ["amount", "count", "rough", "span"]

_FORMATS: Final = {
    "pp": ("", "{:.2f}", " pp"),  # percentage points of the requests
    "pct": ("", "{:.2f}", " %"),
    "ratio": ("", "{:.2f}", "x"),  # candidate by control
    "s": ("", "{:.2f}", " s"),
    "usd": ("$", "{:.4f}", ""),  # where the unit stands beside
    "usd_per_1k_chars": ("$", "{:.4f}", "/1k chars"),
    "usd_per_request": ("$", "{:.4f}", "/request"),
    "voices": ("", "{:.0f}", ""),
    "value": ("", "{:.3f}", ""),  # of a feature, in its own unit
}


def amount(value: float | None, unit: str, *, signed: bool = False) -> str:
    """`value` as a person reads it; a dash when there is none.

    Args:
        value: In `unit`.
        unit: One of the units of findings.
        signed: Write the plus of a difference.
    """
    return "–" if value is None else _number(value, unit, signed=signed) + _FORMATS[unit][2]


def span(low: float | None, high: float | None, unit: str, *, signed: bool = False) -> str:
    """A range as a person reads it: `0.41 to 0.59x`, or from one end that is known; a dash without any."""
    if low is not None and high is not None:
        return f"{_number(low, unit, signed=signed)} to {amount(high, unit, signed=signed)}"
    if low is not None:
        return f"{amount(low, unit, signed=signed)} or more"
    return "–" if high is None else f"up to {amount(high, unit, signed=signed)}"


def _number(value: float, unit: str, *, signed: bool) -> str:
    prefix, digits, _ = _FORMATS[unit]
    text = digits.format(abs(value))
    is_zero = not any(digit in text for digit in "123456789")
    return ("-" if value < 0 and not is_zero else "+" if signed else "") + prefix + text


def count(number: int, noun: str) -> str:
    """`1 pair`, `1,204 pairs`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def rough(number: float) -> int:
    """`number` to two digits, upwards: 2,317 → 2,400. A forecast claims no more."""
    step: int = 10 ** max(0, len(str(int(number))) - 2)
    return int(-(-number // step)) * step
