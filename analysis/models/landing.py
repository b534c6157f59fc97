"""Put what models said where features are: numbers of one sound beside its features, of a pair beside the pair's.

    features.more.scores       background, naturalness: opinions; transcript: engine, version, language, text
    pair_features.more.scores  similarity: to_control, to_reference, control_to_reference (cosines)
                               intelligibility: unit, control, other (errors by what was asked for), difference

Each carries the version that read it; two readings meet only when engine and version are the same. Rows are written
anew where a score is, so readers take the last as ever. Nothing is read again here: it costs no model.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from analysis.extractor import version_of
from analysis.models.error_rate import CHINESE_NUMBERS, error_rate
from analysis.models.optional import is_there
from analysis.models.readiness import COUNTING
from analysis.models.readings import latest_readings
from analysis.models.scorers import ADVISORY
from analysis.models.voiceprint import cosine, unpacked
from harness.exchanges import OK
from harness.store.journal import Journal, Record
from harness.store.rows import captures_in
from harness.store.runs import Run
from harness.store.seal import seal

__all__ = ["land"]

_KEPT_HERE: Final = frozenset({"type", "scorer", "audio_sha256", "asked"})  # of a reading: not told again in a score
Readings = Mapping[tuple[str, str], Record]  # scorer and audio → the latest reading


def land(run: Run) -> int:
    """Write the scores of a run into its feature rows, seal it where any changed, and return how many did.

    Raises:
        StoreError: A journal is damaged, or another process is writing it.
    """
    records = latest_readings(run)
    if not records:
        return 0
    readings = {(row["scorer"], row["audio_sha256"]): row for row in records if row["type"] == "reading"}
    references = {row["capture_id"]: row["audio_sha256"] for row in records if row["type"] == "reference"}
    texts = {row["capture_id"]: row for row in captures_in(run.journal)}
    changed = _rewrite(run.features, ("audio_sha256",), lambda row: _of_sound(row, readings))
    changed += _rewrite(
        run.pair_features,
        ("capture_id", "repetition", "lane"),
        lambda row: _of_pair(row, readings, references.get(row["capture_id"]), texts.get(row["capture_id"])),
    )
    if changed:
        seal(run)
    return changed


def _rewrite(path: Path, key: Iterable[str], scores_of: Callable[[Record], dict[str, Any]]) -> int:
    """Append every latest row whose scores are not what they should be."""
    if not path.exists():
        return 0
    with Journal(path) as journal:
        latest = {tuple(row[name] for name in key): row for row in journal.records}
        changed = 0
        for row in latest.values():
            more = row.get("more") or {}
            scores = {**more.get("scores", {}), **scores_of(row)}
            if scores != more.get("scores", {}):
                journal.append({**row, "more": {**more, "scores": scores}})
                changed += 1
    return changed


def _of_sound(row: Record, readings: Readings) -> dict[str, Any]:
    sha256 = row["audio_sha256"]
    found = {name: _told(readings[name, sha256]) for name in sorted(ADVISORY) if (name, sha256) in readings}
    transcript = readings.get(("intelligibility", sha256))
    return found | ({"transcript": _told(transcript)} if transcript else {})


def _told(reading: Record) -> dict[str, Any]:
    return {name: value for name, value in reading.items() if name not in _KEPT_HERE}


def _of_pair(
    row: Record, readings: Readings, reference_sha256: str | None, capture: Record | None
) -> dict[str, dict[str, Any]]:
    scores = {
        "similarity": _similarity(row, readings, reference_sha256),
        "intelligibility": _intelligibility(row, readings, capture),
    }
    return {name: score for name, score in scores.items() if score}


def _both(name: str, row: Record, readings: Readings) -> tuple[Record, Record] | None:
    """The readings of both sides, where both could be read, by one version of one engine."""
    pair = [readings.get((name, row[f"{side}_sha256"])) for side in ("control", "other")]
    ours, theirs = pair
    if ours is None or theirs is None or {ours["outcome"], theirs["outcome"]} != {OK}:
        return None
    return (ours, theirs) if _same(ours, theirs) else None


def _same(one: Record, other: Record) -> bool:
    return (one["engine"], one["version"]) == (other["engine"], other["version"])


def _similarity(row: Record, readings: Readings, reference_sha256: str | None) -> dict[str, Any] | None:
    both = _both("similarity", row, readings)
    if both is None:
        return None
    control, other = (unpacked(reading["embedding"]) for reading in both)
    score: dict[str, Any] = {"version": both[0]["version"], "to_control": cosine(other, control)}
    reference = readings.get(("similarity", reference_sha256)) if reference_sha256 else None
    if reference and reference["outcome"] == OK and _same(reference, both[0]):
        voice = unpacked(reference["embedding"])
        score |= {"to_reference": cosine(other, voice), "control_to_reference": cosine(control, voice)}
    return score


def _intelligibility(row: Record, readings: Readings, capture: Record | None) -> dict[str, Any] | None:
    both = _both("intelligibility", row, readings)
    if both is None or capture is None or not _can_count():
        return None
    control, other = (error_rate(capture["text"], reading["text"], reading["asked"]) for reading in both)
    if control is None or other is None:
        return None
    return {
        "engine": both[0]["engine"],
        "version": both[0]["version"],
        "counted_by": _counter(),
        "unit": other.unit,
        "control": control.share,
        "other": other.share,
        "difference": other.share - control.share,
    }


def _can_count() -> bool:
    """Whether the libraries that count are here; without them the scores of before stay."""
    return all(map(is_there, COUNTING))


@cache
def _counter() -> str:
    """Version of what counts errors: it can change while transcripts stay."""
    source = Path(__file__).with_name("error_rate.py").read_bytes()
    chinese = version(CHINESE_NUMBERS) if is_there(CHINESE_NUMBERS) else "absent"
    libraries = [*(f"{name}=={version(name)}" for name in COUNTING), f"{CHINESE_NUMBERS}=={chinese}"]
    return version_of([source], libraries)
