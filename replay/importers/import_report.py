"""What an import did, for people and for machines."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from harness.capturing.sanitiser import Policy, SanitisingReport
from replay.importers.importing import ImportCounts, quarantine_path

__all__ = ["advice", "import_facts", "import_text"]

_PLURALS: Final = {
    "email": "e-mail addresses",
    "iban": "bank accounts",
    "card": "card numbers",
    "phone": "phone numbers",
    "number": "other long numbers",
    "user": "users",
    "voice": "voices",
    "session": "sessions",
}


def import_facts(
    out: Path, counts: ImportCounts, report: SanitisingReport, policy: Policy, reason: str | None
) -> dict[str, Any]:
    """The result as JSON; holds numbers only."""
    return {
        "file": str(out),
        "read": counts.read,
        "good": counts.good,
        "quarantined": counts.quarantined,
        "skipped": counts.skipped.total(),
        "skipped_because": dict(counts.skipped.most_common()),
        "renamed": counts.renamed,
        "quarantine_file": str(quarantine_path(out)) if counts.quarantined else None,
        "policy": policy.value,
        "policy_reason": reason,
        "masked": dict(report.masked),
        "masked_fields": dict(report.masked_fields),
        "pseudonyms": dict(report.pseudonyms),
        "unknown_presets": len(report.unknown_presets),
        "references": {
            "stored": len(report.stored),
            "there_already": len(report.known),
            "without_consent": len(report.without_consent),
            "missing": len(report.missing),
        },
    }


def import_text(facts: dict[str, Any]) -> str:
    """The same in lines for a person."""
    lines = [
        f"{facts['file']}: {facts['good']:,} captures",
        f"  read {facts['read']:,} = {facts['good']:,} good + {facts['quarantined']:,} quarantined"
        f" + {facts['skipped']:,} skipped",
    ]
    lines += [f"  skipped {count:,}: {reason}" for reason, count in facts["skipped_because"].items()]
    if facts["quarantined"]:
        lines.append(f"  reasons and places: {facts['quarantine_file']}")
    lines.append(f"  words: {_words(facts)}")
    if facts["pseudonyms"]:
        lines.append(f"  pseudonyms: {_counted(facts['pseudonyms'])}")
    references = facts["references"]
    if any(references.values()):
        lines.append(
            f"  reference audio: {references['stored'] + references['there_already']} kept encrypted, "
            f"{references['without_consent']} left out for want of consent, {references['missing']} not in the source"
        )
    return "\n".join(lines)


def _words(facts: dict[str, Any]) -> str:
    if facts["policy"] == Policy.RAW:
        return f"kept as they are, because: {json.dumps(facts['policy_reason'], ensure_ascii=False)}"
    found = _counted(facts["masked"]) if facts["masked"] else "no personal data with a form of its own found"
    if facts["policy"] == Policy.DROP:
        return f"dropped; elsewhere {found}"
    return f"{found}{' replaced' if facts['masked'] else ''}; names and addresses in prose are not found"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {_PLURALS.get(name, name)}" for name, count in Counter(counts).most_common())


def advice(facts: dict[str, Any]) -> list[str]:
    """What the person at the terminal may want to know or do next."""
    lines = []
    if facts["unknown_presets"]:
        lines.append(
            f"{facts['unknown_presets']} preset voices have names unknown here, which were taken for somebody's and "
            "replaced; keep those that are no person's with --preset NAME"
        )
    if facts["references"]["without_consent"]:
        lines.append("Reference audio is kept with --consents FILE.toml only; without it clones cannot be replayed.")
    if "transcript" in facts["masked_fields"]:
        lines.append("Some transcripts were masked: clones made with them may sound worse than they should.")
    if facts["renamed"]:
        lines.append(f"{facts['renamed']} captures came under an id that others have; theirs end in -2, -3 and so on.")
    return [*lines, f"Next: cutover capture verify {facts['file']}"]
