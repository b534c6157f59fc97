"""`cutover capture …` as somebody types it: exit status, what was printed, and the one sentence of a mistake."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from harness.errors import HarnessError
from replay.capture_cli import capture


class Typed(NamedTuple):
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def type_capture(home: Path, *words: str | Path) -> Typed:
    """Run `cutover capture WORDS` with its own home folder."""
    environment = {"CUTOVER_HOME": str(home)}
    result = CliRunner().invoke(capture, [str(word) for word in words], env=environment, standalone_mode=False)
    if isinstance(result.exception, HarnessError):
        return Typed(result.exception.exit_status, result.stdout, str(result.exception))
    if result.exception is not None:
        raise result.exception
    return Typed(result.return_value or 0, result.stdout, result.stderr)
