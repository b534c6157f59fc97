import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.capture import capture_from_json, capture_to_json
from harness.capturing.identities import MARK, Pseudonyms
from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import FakeClock
from harness.speech import PROBE_TEXTS
from replay.importers.records import Recording, Unusable
from replay.sanitising.call_sanitiser import CallSanitiser
from replay.sanitising.consents import ConsentRegister
from tests.traffic import a_call, a_wav

CLOCK = FakeClock()
SHA256 = hashlib.sha256(a_wav()).hexdigest()
RECORDING = Recording(SHA256, a_wav)
CONSENT: dict[str, object] = {"scope": ["replay", "clone:qwen"], "evidence": "contract 7"}


KEY = bytes(32)


def a_sanitiser(
    folder: Path,
    *,
    policy: Policy = Policy.MASK,
    consents: ConsentRegister | None = None,
    presets: tuple[str, ...] = (),
) -> CallSanitiser:
    keys = KeyRing(folder / "keys", given={"identity": KEY.hex()})
    references = EncryptedBlobStore(folder / "audio", keys)
    sanitiser = Sanitiser(policy, keys, references=references, clock=CLOCK, presets=presets)
    return CallSanitiser(sanitiser, consents=consents)


def a_clone(**changes: Any) -> Any:
    fields = {"voice_kind": "clone", "voice_id": "anna", "recording": RECORDING, "transcript": "Hello."}
    return a_call(**fields | changes)


def test_a_call_becomes_a_capture_and_the_line_that_it_is(tmp_path: Path) -> None:
    made = a_sanitiser(tmp_path).clean(a_call(user="u7", session="s1", segment="news", instructions="Whisper."))

    assert (made.capture.request.text, made.capture.request.language) == ("Good morning.", "en")
    assert made.line == capture_to_json(made.capture)


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("2025-11-23T12:00:00.123456+00:00", "2025-11-23T12:00:00.123456Z"),
        ("2025-11-23T12:00:00.123000+00:00", "2025-11-23T12:00:00.123Z"),
        ("2025-11-23T14:00:00.123000+02:00", "2025-11-23T12:00:00.123Z"),
        ("2025-11-23T12:00:00Z", "2025-11-23T12:00:00.000Z"),
    ],
)
def test_a_moment_is_written_in_utc_however_it_is_told(told: str, written: str, tmp_path: Path) -> None:
    made = a_sanitiser(tmp_path).clean(a_call(captured_at=told))

    assert json.loads(made.line)["captured_at"] == written
    assert made.line == capture_to_json(made.capture)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.text(min_size=1),
    at=st.datetimes(),
    zone=st.sampled_from(["Z", "+00:00", "-08:30", "+14:00", ""]),
    observed=st.none()
    | st.fixed_dictionaries({"provider": st.just("modal"), "status": st.just("ok"), "total_s": st.floats(0, 9)}),
    consent=st.none() | st.just(CONSENT),
)
def test_the_line_is_always_what_the_format_would_write(
    tmp_path: Path, text: str, at: Any, zone: str, observed: Any, consent: Any
) -> None:
    call = a_call(text, captured_at=f"{at.isoformat()}{zone}", observed=observed, consent=consent)
    try:
        made = a_sanitiser(tmp_path).clean(call)
    except Unusable:
        return

    assert capture_from_json(made.line) == made.capture
    assert made.line == capture_to_json(made.capture)


def test_people_and_sessions_become_pseudonyms(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)

    capture = sanitiser.clean(a_clone(user="anna@example.com", session="s1")).capture

    assert capture.user_key == Pseudonyms(KEY).of("user", "anna@example.com")
    assert (capture.session or "").startswith(MARK)
    assert capture.request.voice.id.startswith(MARK)
    assert sanitiser.report.pseudonyms == {"user": 1, "session": 1, "voice": 1}


def test_a_voice_that_ships_with_a_provider_keeps_its_name_and_no_other(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path, presets=("house voice",))

    names = [
        sanitiser.clean(a_call(voice_id=name)).capture.request.voice.id for name in ("Vivian", "house voice", "anna")
    ]

    assert names[:2] == ["Vivian", "house voice"]
    assert names[2].startswith(MARK)
    assert len(sanitiser.report.unknown_presets) == 1


def test_personal_data_in_every_field_of_words_become_surrogates(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)
    phone = "+49 30 901820"

    made = sanitiser.clean(
        a_clone(
            text=f"Call {phone}.",
            transcript=f"It is {phone}.",
            instructions=f"Read {phone}.",
            segment=f"line {phone}",
            consent=CONSENT | {"evidence": f"call {phone}"},
        )
    )

    assert phone not in made.line
    assert sanitiser.report.masked == {"phone": 5}
    assert set(sanitiser.report.masked_fields) == {"text", "transcript", "instructions", "segment", "evidence"}


def test_raw_keeps_words_and_still_no_names(tmp_path: Path) -> None:
    made = a_sanitiser(tmp_path, policy=Policy.RAW).clean(a_call("Call +49 30 901820.", user="anna"))

    assert made.capture.request.text == "Call +49 30 901820."
    assert "anna" not in made.line


def test_drop_keeps_nothing_but_length_and_language(tmp_path: Path) -> None:
    made = a_sanitiser(tmp_path, policy=Policy.DROP).clean(
        a_clone(
            text="My secret is here.", instructions="Like my aunt.", voice_kind="design", description="Like my uncle."
        )
    )

    assert made.capture.request.text == PROBE_TEXTS["en"][:18]
    assert "secret" not in made.line
    assert "aunt" not in made.line
    assert "uncle" not in made.line
    assert made.capture.request.voice.reference is not None
    assert made.capture.request.voice.reference.transcript is None


def test_an_id_depends_on_content_and_source_and_not_on_the_run(tmp_path: Path) -> None:
    def id_of(**changes: Any) -> str:
        return a_sanitiser(tmp_path).clean(a_call(**changes)).capture.id

    assert id_of() == id_of()
    assert len({id_of(), id_of(key="k2"), id_of(text="Bye."), id_of(captured_at="2025-11-23T12:00:01Z")}) == 4
    assert id_of(id="c7") == "c7"


def test_audio_with_consent_is_kept_encrypted(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)

    capture = sanitiser.clean(a_clone(consent=CONSENT)).capture

    assert capture.consent is not None
    assert capture.request.voice.reference is not None
    assert sanitiser.report.stored == {SHA256}
    (path,) = (tmp_path / "audio").rglob("*.wav")
    assert path.read_bytes().startswith(b"CUTOVER1")


@pytest.mark.parametrize(
    "consent",
    [
        pytest.param(None, id="none"),
        pytest.param({"scope": ["listen"]}, id="for something else"),
        pytest.param({"scope": ["replay"], "expires_at": "2026-11-22T00:00:00Z"}, id="expired"),
    ],
)
def test_audio_without_consent_is_left_out_and_the_request_kept(tmp_path: Path, consent: Any) -> None:
    sanitiser = a_sanitiser(tmp_path)

    capture = sanitiser.clean(a_clone(consent=consent)).capture

    assert capture.request.voice.reference is not None
    assert sanitiser.report.without_consent == {SHA256}
    assert not (tmp_path / "audio").exists()


def test_a_later_consent_to_the_same_audio_counts(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)

    sanitiser.clean(a_clone())
    sanitiser.clean(a_clone(text="again", consent=CONSENT))

    assert (sanitiser.report.stored, sanitiser.report.without_consent) == ({SHA256}, set())


@pytest.mark.parametrize("name", ["anna", SHA256])
def test_the_register_consents_by_voice_or_by_recording(tmp_path: Path, name: str) -> None:
    sanitiser = a_sanitiser(tmp_path, consents=ConsentRegister({name: CONSENT}))

    capture = sanitiser.clean(a_clone()).capture

    assert capture.consent is not None
    assert capture.consent.scope == ("replay", "clone:qwen")
    assert sanitiser.report.stored == {SHA256}


def test_a_designed_voice_is_nobodys_so_its_preview_needs_no_consent(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)

    sanitiser.clean(a_clone(voice_kind="design", description="A calm narrator."))

    assert sanitiser.report.stored == {SHA256}


def test_audio_that_is_not_in_the_source_is_told(tmp_path: Path) -> None:
    sanitiser = a_sanitiser(tmp_path)

    sanitiser.clean(a_clone(recording=Recording(SHA256, lambda: None), consent=CONSENT))

    assert sanitiser.report.missing == {SHA256}


def test_audio_that_is_there_already_is_not_read_again(tmp_path: Path) -> None:
    a_sanitiser(tmp_path).clean(a_clone(consent=CONSENT))
    again = a_sanitiser(tmp_path)

    again.clean(a_clone(consent=CONSENT))

    assert (again.report.known, again.report.stored) == ({SHA256}, set())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": "\ud800"}, "a field holds what a capture cannot"),
        ({"text": "a\x00b"}, "text must not hold a NUL character"),
        ({"text": " "}, "a generate needs text"),
        ({"text": "x" * 100_001}, "text has 100001 characters, more than 100000"),
        ({"captured_at": "yesterday"}, "captured_at must be a time in ISO 8601"),
        ({"captured_at": "2025-13-45T12:00:00.000000+00:00"}, "captured_at must be a time in ISO 8601"),
        ({"captured_at": "2025-11-23T12:00:00"}, "captured_at must be a time in ISO 8601 with its zone"),
        ({"response_format": "aac"}, "response_format should be 'wav'"),
        ({"sample_rate_hz": 1}, "sample_rate_hz should be greater than"),
        ({"operation": "sing"}, "operation should be 'generate'"),
        ({"voice_kind": "choir"}, "voice.kind should be 'preset'"),
        ({"observed": {"provider": "modal", "status": "fine"}}, "observed.status must be ok or one of"),
        ({"consent": {"scope": "replay"}}, "consent.scope should be"),
        ({"observed": {"provider": "modal", "status": "ok", "total_s": float("nan")}}, "a field holds what a capture"),
        ({"operation": "clone"}, "a clone needs a voice of kind clone"),
    ],
)
def test_what_the_format_refuses_is_unusable_with_its_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unusable) as caught:
        a_sanitiser(tmp_path).clean(a_call(**changes))

    assert caught.value.reason.startswith(reason)


def test_a_consent_nested_without_end_is_unusable_and_no_crash(tmp_path: Path) -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]

    with pytest.raises(Unusable):
        a_sanitiser(tmp_path).clean(a_clone(consent={"scope": deep}))


def test_cleaning_what_is_clean_changes_nothing_but_the_words_with_data(tmp_path: Path) -> None:
    first = a_sanitiser(tmp_path).clean(a_clone(user="u", session="s", consent=CONSENT)).line
    fields = json.loads(first)

    again = a_sanitiser(tmp_path).clean(
        a_clone(
            id=fields["id"],
            voice_id=fields["voice"]["id"],
            user=fields["user_key"],
            session=fields["session"],
            consent=fields["consent"],
        )
    )

    assert again.line == first


def test_consent_is_judged_by_the_clock(tmp_path: Path) -> None:
    tomorrow = (CLOCK.now() + timedelta(days=1)).isoformat()

    sanitiser = a_sanitiser(tmp_path)
    sanitiser.clean(a_clone(consent=CONSENT | {"expires_at": tomorrow}))

    assert sanitiser.report.stored == {SHA256}
