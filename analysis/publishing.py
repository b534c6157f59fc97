"""Where the reports of a verdict go: files that a person or a CI asked for, and the summary page of a job."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from analysis.rendering import SUMMARY_CHARS, markdown
from analysis.report import View
from harness.errors import UsageError

__all__ = ["SUMMARY_VARIABLE", "publish", "write_summary"]

SUMMARY_VARIABLE: Final = "GITHUB_STEP_SUMMARY"  # GitHub sets it to the file that becomes the page of a job


def publish(reports: Mapping[Path, Callable[[], str]]) -> None:
    """Write each report whole or not at all.

    Args:
        reports: Path → what makes its text; a path is written only after its text was made.

    Raises:
        UsageError: A file cannot be written; names it.
    """
    for path, make in reports.items():
        text = make()
        temporary = path.with_name(f".{path.name}.part")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); name a file in a folder that is") from None


def write_summary(view: View, path: Path) -> None:
    """Append the verdict to a job's summary.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(markdown(view, most_chars=SUMMARY_CHARS))
    except OSError as error:
        raise UsageError(f"{path}: {SUMMARY_VARIABLE} names a file that cannot be written ({error.strerror})") from None
