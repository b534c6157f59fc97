from contextlib import closing
from pathlib import Path

import pytest

from harness.emulators.account import Account, StoredVoice
from harness.errors import ConfigError

ANNA = StoredVoice(
    voice="qwen-tts-vc-anna-voice-1",
    maker="qwen-voice-enrollment",
    target_model="qwen3-tts-vc-2026-01-22",
    language="en",
    timbre="alto",
    made_at="2026-11-23 12:00:00",
)


def test_the_meter_adds_up_by_item_and_in_total() -> None:
    account = Account(None)
    account.bill("qwen3-tts-flash", "characters", 10, request_id="1")
    account.bill("qwen3-tts-flash", "characters", 5, request_id="2")
    account.bill("qwen3-tts-vc-2026-01-22", "characters", 100, request_id="3")
    account.bill("A10G", "gpu_s", 0.1, request_id="4")
    account.bill("A10G", "gpu_s", 0.2, request_id="5")
    account.count("POST /clone", "200")

    assert account.meter() == {
        "billed": {
            "qwen3-tts-flash": {"characters": 15},
            "qwen3-tts-vc-2026-01-22": {"characters": 100},
            "A10G": {"gpu_s": 0.3},
        },
        "total": {"characters": 115, "gpu_s": 0.3},
        "voices": 0,
        "requests": {"POST /clone": {"200": 1}},
    }


def test_a_stand_in_that_was_stopped_finds_bill_and_voices_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "account.jsonl"
    first = Account(path)
    first.bill("qwen-voice-enrollment", "voices", 1, request_id="1")
    first.keep(ANNA)
    first.close()

    with closing(Account(path)) as second:
        assert second.voices == {ANNA.voice: ANNA}
        assert second.meter()["total"] == {"voices": 1}


def test_a_deleted_voice_stays_deleted(tmp_path: Path) -> None:
    first = Account(tmp_path / "account.jsonl")
    first.keep(ANNA)
    first.forget(ANNA.voice)
    first.close()

    with closing(Account(tmp_path / "account.jsonl")) as second:
        assert second.voices == {}


def test_every_event_is_in_the_file_at_once(tmp_path: Path) -> None:
    with closing(Account(tmp_path / "account.jsonl")) as account:
        account.bill("A10G", "gpu_s", 1.5, request_id="1")

        assert len((tmp_path / "account.jsonl").read_bytes().splitlines()) == 1


def test_a_torn_last_line_is_cut_off_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "account.jsonl"
    first = Account(path)
    first.bill("A10G", "gpu_s", 1.0, request_id="1")
    first.close()
    path.write_bytes(path.read_bytes() + b'{"event": "bill')

    second = Account(path)
    second.bill("A10G", "gpu_s", 2.0, request_id="2")
    second.close()

    with closing(Account(path)) as third:
        assert third.meter()["total"] == {"gpu_s": 3.0}


@pytest.mark.parametrize("line", ['{"event": "party"}', "[]", "not json", '{"event": "billed"}', '{"voice": "x"}'])
def test_a_file_that_is_no_account_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "account.jsonl"
    path.write_text(line + "\n")

    with pytest.raises(ConfigError, match=r"account\.jsonl: line 1 is no event of a stand-in's account"):
        Account(path)

    assert path.read_text() == line + "\n"


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the account cannot be kept there: Is a directory"):
        Account(tmp_path)


def test_a_reset_forgets_everything_here_and_in_the_file(tmp_path: Path) -> None:
    account = Account(tmp_path / "account.jsonl")
    account.bill("A10G", "gpu_s", 1.0, request_id="1")
    account.keep(ANNA)
    account.count("POST /clone", "200")

    account.reset()
    account.bill("A10G", "gpu_s", 4.0, request_id="2")
    account.close()

    assert account.meter() == {"billed": {"A10G": {"gpu_s": 4.0}}, "total": {"gpu_s": 4.0}, "voices": 0, "requests": {}}
    with closing(Account(tmp_path / "account.jsonl")) as second:
        assert second.meter()["total"] == {"gpu_s": 4.0}
