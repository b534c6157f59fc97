"""A way to stop all sending from outside: a file, or a variable; a signal is handled where the run is started.

Asked before every paid call, so the answer must be cheap: one `stat`, about three microseconds.
"""

from pathlib import Path

from harness.config import Settings

__all__ = ["KillSwitch"]


class KillSwitch:
    """Pulled while the file exists or the setting is on; stays pulled until somebody takes it back."""

    def __init__(self, settings: Settings) -> None:
        self.path: Path = settings.home / "KILL"
        self._set = settings.kill

    def reason(self) -> str | None:
        """Why nothing may be sent; None while it may."""
        if self._set:
            return "CUTOVER_KILL is set; unset it to go on"
        if self.path.exists():
            return f"{self.path} exists; remove it to go on"
        return None
