"""S8-15: labelled personal data in seven languages: how many are found, what else is taken for one, what stays."""

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.capture import capture_to_json
from harness.capturing.keys import KeyRing
from harness.capturing.pii import find_personal_data
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import FakeClock
from harness.store.logbook import Logbook
from harness.store.rows import capture_row
from harness.store.runs import Run
from harness.store.seal import seal
from tests.builders import a_capture, a_request
from tests.canaries import contents
from tests.traffic import a_body, gor, http_request
from tests.typed import type_capture


class Label(NamedTuple):
    language: str
    sentence: str  # with {} for the find
    find: str


# Numbers of documentation, test cards of their schemes, accounts with right check digits: nobody's.
NAMES = {
    "en": "English", "de": "German", "zh": "Chinese", "ja": "Japanese",
    "fr": "French", "es": "Spanish", "ru": "Russian",
}  # fmt: skip
EVERYWHERE = [
    "anna.mueller@mail.example.com", "o'neil+tag@sub.example.co.uk", "用户@例子.公司",
    "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606",
    "ES91 2100 0418 4502 0005 1332", "IT60 X054 2811 1010 0000 0123 456",
    "4111 1111 1111 1111", "5500-0055-5555-5559", "340000000000009", "6011 0000 0000 0004", "3530111333300000",
    "+49 30 901820", "+44 20 7946 0018", "+86 138 1234 5678", "+1 212 555 0187",
]  # fmt: skip
LOCAL = {
    "en": (["(212) 555-0187", "020 7946 0018", "555-0199"], ["Please note {} for later.", "It is {}, thank you."]),
    "de": (["030 901820", "0171 2345678"], ["Bitte notieren Sie {} dazu.", "Das ist {}, danke."]),
    "zh": (["13812345678", "010-62345678"], ["请记下 {} 谢谢。", "我的是{}。"]),
    "ja": (["03-1234-5678", "090-1234-5678"], ["{} を控えてください。", "それは{}です。"]),
    "fr": (["01 42 68 53 00", "06 12 34 56 78"], ["Veuillez noter {} pour plus tard.", "C'est {}, merci."]),
    "es": (["912 345 678", "612 345 678"], ["Por favor, anote {} ahora.", "Es {}, gracias."]),
    "ru": (["8 (495) 123-45-67"], ["Запишите {} пожалуйста.", "Это {}, спасибо."]),
}
LABELS = [
    Label(language, sentence, find)
    for language, (local, sentences) in LOCAL.items()
    for find, sentence in product([*EVERYWHERE, *local], sentences)
]
NOBODYS = [
    ("en", "It is 10:15 on 2026-11-23 and 12 people came."), ("en", "Chapter 12 has 345 pages and 6 pictures."),
    ("en", "From 2024-2025 we sold 1,250,000 pieces."), ("en", "Version 3.11.7, room 404, gate B12."),
    ("de", "Am 23.11.2026 um 10:15 Uhr kamen 12 Leute."), ("de", "Die Strecke ist 1.250 km lang."),
    ("zh", "二〇二六年十一月二十三日，共有12345人。"), ("zh", "第12章有345页。"),
    ("ja", "2026年11月23日10時15分です。"), ("ja", "第12章は345ページです。"),
    ("fr", "Le 23 novembre 2026, 12 personnes."), ("fr", "Il y a 1 250 000 pièces."),
    ("es", "El 23 de noviembre de 2026 a las 10:15."), ("es", "La página 345 del libro 12."),
    ("ru", "23 ноября 2026 года в 10:15."), ("ru", "Глава 12, страница 345."),
]  # fmt: skip


def is_covered(label: Label) -> bool:
    """Whether nothing of it would stay: every letter and digit lies within a find."""
    text = label.sentence.format(label.find)
    start = text.index(label.find)
    covered = {place for find in find_personal_data(text, label.language) for place in range(find.start, find.end)}
    inside = range(start, start + len(label.find))
    kept = "".join(text[place] for place in inside if place not in covered and text[place].isalnum())
    return len(kept) <= 3  # a country code names nobody


def test_at_least_98_of_a_hundred_labelled_finds_are_found() -> None:
    missed = [label for label in LABELS if not is_covered(label)]

    assert len({label.find for label in LABELS}) >= 30
    assert len({label.language for label in LABELS}) >= 6
    assert len(missed) <= 0.02 * len(LABELS), missed


def test_hardly_anything_else_is_taken_for_one() -> None:
    false = [(text, find) for language, text in NOBODYS for find in find_personal_data(text, language)]

    assert len(false) <= 0.1 * len(NOBODYS), false


FOUND = [label for label in LABELS if is_covered(label)]


def kept_by(name: str, data: bytes) -> list[str]:
    """Which of the finds can still be read there, however it is written."""
    text = data.decode("utf-8", "replace")
    spelt = {text, text.encode().decode("unicode_escape", "replace") if text.isascii() else text}
    return [f"{label.find} in {name}" for label in FOUND if any(label.find in each for each in spelt)]


def a_call_with(label: Label) -> dict[str, object]:
    """A request that says it, is asked for by it, and is told to speak by it."""
    text = label.sentence.format(label.find)
    return a_body(text=text, language=NAMES[label.language], user=label.find, instructions=label.find)


def test_nothing_of_them_is_in_any_file_of_an_import(tmp_path: Path) -> None:
    traffic, home = tmp_path / "in", tmp_path / "home"
    traffic.mkdir()
    calls = [gor(http_request(a_call_with(label)), identity=f"{number}") for number, label in enumerate(FOUND)]
    (traffic / "t.gor").write_bytes(b"".join(calls))

    typed = type_capture(home, "import", traffic / "t.gor", "--out", home / "captures.jsonl", "--json")

    assert json.loads(typed.out)["good"] > 0.9 * len(FOUND)
    assert [kept for name, data in contents(home) for kept in kept_by(name, data)] == []
    assert kept_by("the traffic", (traffic / "t.gor").read_bytes()), "the search has gone blind"


@pytest.mark.parametrize("policy", [Policy.MASK, Policy.DROP])
def test_nothing_of_them_is_in_a_sealed_run(tmp_path: Path, policy: Policy) -> None:
    keys = KeyRing(tmp_path / "keys", given={"identity": "0" * 64})
    sanitiser = Sanitiser(policy, keys, references=EncryptedBlobStore(tmp_path / "audio", keys), clock=FakeClock())
    run = Run(tmp_path / "runs" / "20261123T120000Z-aaaaaa")
    plan = {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"}
    head = {"run_id": run.id, "kind": "replay", "started_at": "2026-11-23T12:00:00+00:00", "code_version": "0.1.0"}
    lines = []
    with Logbook(run.journal, clock=FakeClock()) as book:
        book.write({"type": "plan", **head, "plan_sha256": "p" * 64, "plan": plan})
        for number, label in enumerate(FOUND):
            request = a_request(label.sentence.format(label.find), language=label.language)
            capture = sanitiser.clean(a_capture(f"c{number}", request=request, user_key=label.find))
            lines.append(capture_to_json(capture))
            book.write({"type": "planned", "capture": capture_row(capture), "legs": []})
    seal(run)

    told = [("captures", "\n".join(lines).encode()), *contents(tmp_path / "runs")]
    assert any(name.endswith("its rows") for name, _ in told)
    assert [kept for name, data in told for kept in kept_by(name, data)] == []
