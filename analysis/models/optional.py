"""Libraries that only an extra brings, loaded when they are needed and missed in one sentence."""

import importlib
import importlib.util
from typing import Any

from harness.errors import UsageError

__all__ = ["is_there", "library"]


def is_there(name: str) -> bool:
    """Whether a module of this name could be imported; it is not."""
    return importlib.util.find_spec(name) is not None


def library(name: str, *, extra: str) -> Any:
    """The module of this name.

    Raises:
        UsageError: It is not installed, or does not load; names the extra that brings it.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library under it that does not load
        why = "is not installed" if isinstance(error, ModuleNotFoundError) and error.name == name else "does not load"
        raise UsageError(f"{name} {why} ({error}); `pip install 'voice-cutover[{extra}]'` brings it") from None
