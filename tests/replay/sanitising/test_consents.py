from pathlib import Path

import pytest

from harness.errors import ConfigError
from replay.sanitising.consents import ConsentRegister, load_consents

ENTRY = """
["voice-anna"]
scope = ["replay", "clone:qwen"]
region = "ap-southeast-1"
expires_at = 2027-06-30T00:00:00Z
evidence = "contract 2031, page 4"
"""


def load(folder: Path, text: str) -> ConsentRegister:
    path = folder / "consents.toml"
    path.write_text(text)
    return load_consents(path)


def test_a_consent_is_found_by_the_first_name_that_has_one(tmp_path: Path) -> None:
    register = load(tmp_path, ENTRY)

    assert register.find(None, "x", "voice-anna") == {
        "scope": ["replay", "clone:qwen"],
        "region": "ap-southeast-1",
        "expires_at": "2027-06-30T00:00:00+00:00",
        "evidence": "contract 2031, page 4",
    }
    assert register.find("bea", None) is None


def test_an_empty_register_knows_nobody() -> None:
    assert ConsentRegister().find("voice-anna") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["a"]\nscope = []\nevidence = "x"', "a.scope: Tuple should have at least 1 item"),
        ('["a"]\nscope = ["replay"]', "a.evidence: Field required"),
        ('["a"]\nscope = ["replay"]\nevidence = ""', "a.evidence: String should have at least 1 character"),
        ('["a"]\nscope = ["replay"]\nevidence = "x"\nexpires = 1', "a.expires: Extra inputs are not permitted"),
        (
            '["a"]\nscope = ["replay"]\nevidence = "x"\nexpires_at = 2027-06-30T00:00:00',
            "a.expires_at: needs its time zone",
        ),
        ("a = 1", "a: Input should be a valid dictionary"),
        ("[a", "not valid TOML"),
    ],
)
def test_an_entry_that_is_not_whole_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


def test_a_register_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as a register of consents"):
        load_consents(tmp_path / "none.toml")
