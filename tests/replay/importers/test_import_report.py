from collections import Counter
from pathlib import Path

from harness.capturing.sanitiser import Policy, SanitisingReport
from replay.importers.import_report import advice, import_facts, import_text
from replay.importers.importing import ImportCounts

OUT = Path("captures.jsonl")


def facts(policy: Policy = Policy.MASK, reason: str | None = None, **report: object) -> dict[str, object]:
    counts = ImportCounts(good=4_812, quarantined=13, skipped=Counter({"a reply": 5_000, "not a speech endpoint": 415}))
    return import_facts(OUT, counts, SanitisingReport(**report), policy, reason)  # type: ignore[arg-type]


def test_the_sum_is_printed_and_adds_up() -> None:
    text = import_text(facts())

    assert "captures.jsonl: 4,812 captures" in text
    assert "read 10,240 = 4,812 good + 13 quarantined + 5,415 skipped" in text
    assert "skipped 5,000: a reply" in text
    assert "captures.jsonl.import.quarantine.jsonl" in text


def test_what_was_masked_is_told_in_numbers_and_what_is_never_found_as_well() -> None:
    text = import_text(facts(masked=Counter(phone=5, email=3), pseudonyms=Counter(user=9)))

    assert "5 phone numbers, 3 e-mail addresses replaced; names and addresses in prose are not found" in text
    assert "pseudonyms: 9 users" in text


def test_raw_texts_are_told_with_their_reason() -> None:
    assert 'kept as they are, because: "contract 7"' in import_text(facts(Policy.RAW, "contract 7"))


def test_dropped_texts_are_told() -> None:
    assert "words: dropped; elsewhere no personal data" in import_text(facts(Policy.DROP))


def test_recordings_are_told_by_what_became_of_them() -> None:
    text = import_text(facts(stored={"a", "b"}, known={"c"}, without_consent={"d"}, missing=set()))

    assert "reference audio: 3 kept encrypted, 1 left out for want of consent, 0 not in the source" in text


def test_advice_ends_with_the_next_command() -> None:
    lines = advice(facts(unknown_presets=Counter(x=1), without_consent={"d"}, masked_fields=Counter(transcript=1)))

    assert "--preset NAME" in lines[0]
    assert "--consents FILE.toml" in lines[1]
    assert "transcripts were masked" in lines[2]
    assert lines[-1] == "Next: cutover capture verify captures.jsonl"


def test_renamed_captures_are_told() -> None:
    counts = ImportCounts(good=2, renamed=1)

    lines = advice(import_facts(OUT, counts, SanitisingReport(), Policy.MASK, None))

    assert "under an id that others have" in lines[0]
