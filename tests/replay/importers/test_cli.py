import gzip
import hashlib
import json
from pathlib import Path

import pytest

from harness.clock import FakeClock
from replay.importers.cli import _Ticker
from replay.sources import read_captures
from tests.traffic import NOON_NS, a_body, a_wav, b64, gor, http_reply, http_request
from tests.typed import type_capture

SECRET = "sk-0123456789abcdef0123456789abcdef"


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    """Two files of one rotation: a call with a phone number, its reply, a clone, and a health check."""
    folder = tmp_path / "traffic"
    folder.mkdir()
    clone = {"text": "Hi.", "language": "English", "ref_audio_base64": b64(a_wav()), "ref_text": "Hello."}
    first = gor(http_request(a_body(text="Call +49 30 901820.", user="anna@example.com")))
    reply = gor(http_reply(a_wav()), kind=2, at_ns=NOON_NS + 10**9)
    health = gor(http_request(b"", path="/health", method="GET"))
    (folder / "t_0.gor").write_bytes(first)
    (folder / "t_1.gor").write_bytes(reply + gor(http_request(clone, path="/clone"), identity="x") + health)
    return folder / "t_*.gor"


def test_traffic_becomes_captures_with_a_sum_that_adds_up(tmp_path: Path, traffic: Path) -> None:
    out = tmp_path / "out" / "captures.jsonl.zst"

    typed = type_capture(tmp_path, "import", traffic, "--out", out)

    assert "read 4 = 2 good + 0 quarantined + 2 skipped" in typed.out
    assert "1 phone numbers replaced" in typed.out
    assert "1 left out for want of consent" in typed.out
    assert typed.err.splitlines()[-1] == f"Next: cutover capture verify {out}"
    spoken = [capture.request.text for capture in read_captures(out)]
    assert spoken[1] == "Hi."
    assert "901820" not in spoken[0]
    assert type_capture(tmp_path, "verify", out).status == 0


def test_nothing_of_headers_people_or_keys_is_in_any_file(tmp_path: Path, traffic: Path) -> None:
    type_capture(tmp_path, "import", traffic, "--out", tmp_path / "out" / "captures.jsonl")

    written = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    for forbidden in (SECRET.encode(), b"anna@example.com", b"legacy.internal", b"901820"):
        assert all(forbidden not in data for data in written)


def test_json_tells_the_same_to_machines(tmp_path: Path, traffic: Path) -> None:
    facts = type_capture(tmp_path, "import", traffic, "--out", tmp_path / "a.jsonl", "--json").json

    assert (facts["read"], facts["good"], facts["quarantined"], facts["skipped"]) == (4, 2, 0, 2)
    assert facts["masked"] == {"phone": 1}
    assert facts["references"]["without_consent"] == 1


def test_consents_let_recordings_in(tmp_path: Path, traffic: Path) -> None:
    consents = tmp_path / "consents.toml"
    consents.write_text(f'["{hashlib.sha256(a_wav()).hexdigest()}"]\nscope = ["replay"]\nevidence = "contract 7"\n')

    typed = type_capture(tmp_path, "import", traffic, "--out", tmp_path / "a.jsonl", "--consents", consents)

    assert "reference audio: 1 kept encrypted" in typed.out
    assert type_capture(tmp_path, "verify", tmp_path / "a.jsonl", "--json").json["recordings"] == {"intact": 1}


def test_raw_needs_a_reason(tmp_path: Path, traffic: Path) -> None:
    words = ("import", traffic, "--out", tmp_path / "a.jsonl", "--policy", "raw")

    refused, done = type_capture(tmp_path, *words), type_capture(tmp_path, *words, "--reason", "test data")

    assert refused.status == 2
    assert "it needs --reason TEXT" in refused.err
    assert 'kept as they are, because: "test data"' in done.out
    assert any("901820" in capture.request.text for capture in read_captures(tmp_path / "a.jsonl"))


def test_drop_leaves_no_word(tmp_path: Path, traffic: Path) -> None:
    type_capture(tmp_path, "import", traffic, "--out", tmp_path / "a.jsonl", "--policy", "drop")

    assert [capture.request.text for capture in read_captures(tmp_path / "a.jsonl")] == ["The weather is love", "The"]


def test_a_mapping_reads_an_applications_own_log(tmp_path: Path) -> None:
    log, mapping = tmp_path / "app.csv", tmp_path / "mapping.toml"
    log.write_text("when,what,who\n1763899200,Hello there,anna\n")
    mapping.write_text(
        '[fields]\ncaptured_at = { path = "when", unit = "s" }\ntext = "what"\n'
        'voice.id = { value = "Vivian" }\nuser_key = "who"\n'
    )

    type_capture(tmp_path, "import", log, "--mapping", mapping, "--out", tmp_path / "a.jsonl")

    (capture,) = read_captures(tmp_path / "a.jsonl")
    assert capture.request.text == "Hello there"
    assert (capture.user_key or "").startswith("hmac:")


def test_our_own_format_is_cleaned_anew(tmp_path: Path, traffic: Path) -> None:
    type_capture(tmp_path, "import", traffic, "--out", tmp_path / "a.jsonl", "--policy", "raw", "--reason", "x")

    typed = type_capture(tmp_path, "import", tmp_path / "a.jsonl", "--out", tmp_path / "b.jsonl")

    assert "1 phone numbers replaced" in typed.out
    before, after = list(read_captures(tmp_path / "a.jsonl")), list(read_captures(tmp_path / "b.jsonl"))
    assert [capture.id for capture in before] == [capture.id for capture in after]
    assert [capture.request.voice for capture in before] == [capture.request.voice for capture in after]


def test_strict_says_by_its_status_that_records_were_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "t.gor"
    path.write_bytes(gor(http_request(a_body())) + gor(http_request(a_body(language="Dutch"))))

    assert type_capture(tmp_path, "import", path, "--out", tmp_path / "a.jsonl").status == 0
    assert type_capture(tmp_path, "import", path, "--out", tmp_path / "b.jsonl", "--strict").status == 4
    (record,) = (tmp_path / "a.jsonl.import.quarantine.jsonl").read_text().splitlines()
    assert json.loads(record)["record"] == 2


def test_a_credential_fails_the_import_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "t.gor.gz"
    path.write_bytes(gzip.compress(gor(http_request(a_body(text=f"Say {SECRET}")))))

    typed = type_capture(tmp_path, "import", path, "--out", tmp_path / "a.jsonl")

    assert typed.status == 2
    assert "line 1 (t.gor.gz record 1): text holds a DashScope or OpenAI key" in typed.err
    assert not (tmp_path / "a.jsonl").exists()
    assert type_capture(tmp_path, "import", path, "--out", tmp_path / "a.jsonl", "--quarantine-credentials").status == 0


def test_a_preset_of_ones_own_keeps_its_name_when_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.gor"
    path.write_bytes(gor(http_request(a_body(speaker="house"))))

    plain = type_capture(tmp_path, "import", path, "--out", tmp_path / "a.jsonl")
    type_capture(tmp_path, "import", path, "--out", tmp_path / "b.jsonl", "--preset", "house")

    assert "keep those that are no person's with --preset NAME" in plain.err
    assert [capture.request.voice.id for capture in read_captures(tmp_path / "b.jsonl")] == ["house"]


def test_a_long_import_tells_every_few_seconds_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    ticker = _Ticker(clock)

    for read in range(1, 5_000):
        clock.advance(0.002)
        ticker.tick(read)

    assert capsys.readouterr().err == "import: 3,072 records read, 500/s\n"
