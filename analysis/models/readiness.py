"""Whether a model could be asked on this machine, and if not, what is missing and how to get it."""

from pathlib import Path
from types import MappingProxyType
from typing import Final

from analysis.models.catalogue import WEIGHTS
from analysis.models.optional import is_there
from analysis.models.scorers import Scorer, scorer_version
from analysis.models.weights import installed, problems
from harness.errors import UsageError

__all__ = ["COUNTING", "missing_libraries", "obstacles", "version_here"]

COUNTING: Final = ("jiwer", "num2words")  # of errors in transcripts, whoever made them
# What must import; a distribution's name is not always its module's.
_MODULES: Final = MappingProxyType(
    {
        "similarity": ("onnxruntime",),
        "intelligibility": ("faster_whisper", *COUNTING),
        "background": ("onnxruntime",),
        "naturalness": ("torch", "torchaudio", "distillmos"),
    }
)


def missing_libraries(scorer: Scorer, *, remote: bool = False) -> list[str]:
    """Modules that are needed and not here; by a server's transcripts only those that count."""
    return [name for name in (COUNTING if remote else _MODULES[scorer.name]) if not is_there(name)]


def obstacles(scorer: Scorer, models: Path, *, remote: bool = False, deep: bool = True) -> list[str]:
    """Why the model cannot be asked, a sentence each; nothing when it can.

    Args:
        scorer: Which model.
        models: The folder of all models.
        remote: A server does its work.
        deep: Hash the weights instead of only looking whether they are there.
    """
    found = [
        f"{scorer.name} needs {name}, which is not installed; `pip install 'voice-cutover[{scorer.extra}]'` brings it"
        for name in missing_libraries(scorer, remote=remote)
    ]
    for name in () if remote else scorer.weights:
        if installed(models, WEIGHTS[name]) is None:
            found.append(f"{scorer.name} has no weights here; `cutover models install {scorer.name}` gets them")
        elif deep:
            found += problems(models, WEIGHTS[name])
    return found


def version_here(scorer: Scorer, models: Path) -> str:
    """The version of a model as it stands on this machine.

    Raises:
        UsageError: Something is missing or damaged; says the first thing.
    """
    found = obstacles(scorer, models)
    if found:
        raise UsageError(found[0])
    hashes = [sha256 for name in scorer.weights for sha256 in sorted((installed(models, WEIGHTS[name]) or {}).values())]
    return scorer_version(scorer, hashes)
