"""How the numbers of a finding read: raw with a unit inside, percent, seconds and dollars where a person looks."""

from typing import Final

__all__ = ["amount", "count", "rough"]

_FORMATS: Final = {
    "pp": "{:.2f} pp",  # percentage points of the requests
    "pct": "{:.2f} %",
    "ratio": "{:.2f}x",  # candidate by control
    "s": "{:.2f} s",
    "usd_per_1k_chars": "${:.4f} per 1k characters",
    "usd_per_request": "${:.4f} per request",
    "voices": "{:.0f}",
}


def amount(value: float | None, unit: str, *, signed: bool = False) -> str:
    """`value` as a person reads it; a dash when there is none.

    Args:
        value: In `unit`.
        unit: One of the units of findings.
        signed: Write the plus of a difference.
    """
    if value is None:
        return "–"
    text = _FORMATS[unit].format(abs(value))
    sign = "-" if value < 0 and any(digit in text for digit in "123456789") else "+" if signed else ""
    return sign + text


def count(number: int, noun: str) -> str:
    """`1 pair`, `1,204 pairs`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def rough(number: float) -> int:
    """`number` to two digits, upwards: 2,317 → 2,400. A forecast claims no more."""
    step: int = 10 ** max(0, len(str(int(number))) - 2)
    return int(-(-number // step)) * step
