import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.capturing.keys import KEY_BYTES, KeyRing, open_keys
from harness.config import CaptureSettings, Settings
from harness.errors import ConfigError

HEX = "0f" * KEY_BYTES


def test_a_key_is_made_on_first_use_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    key = KeyRing(tmp_path / "keys").key("identity")

    assert len(key) == KEY_BYTES
    assert KeyRing(tmp_path / "keys").key("identity") == key != KeyRing(tmp_path / "keys").key("references")
    assert stat.S_IMODE((tmp_path / "keys" / "identity.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_a_key_that_was_given_goes_before_a_file_and_makes_none(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys", given={"identity": HEX, "references": None})

    assert ring.key("identity") == bytes.fromhex(HEX)
    assert not (tmp_path / "keys").exists()


def test_keys_lie_under_the_home_folder(tmp_path: Path) -> None:
    assert open_keys(Settings(home=tmp_path)).key("identity") == KeyRing(tmp_path / "keys").key("identity")


def test_processes_that_begin_together_agree_on_one_key(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(KeyRing(tmp_path).key("identity"))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["identity.key"]


def test_a_missing_key_is_not_made_where_the_old_one_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"references\.key: the key is missing; put it back"):
        KeyRing(tmp_path).key("references", make=False)

    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    KeyRing(tmp_path).key("identity")
    (tmp_path / "identity.key").chmod(0o644)

    with pytest.raises(ConfigError, match="others can read this key; run: chmod 600"):
        KeyRing(tmp_path).key("identity")


@pytest.mark.parametrize("text", ["", "short", "zz" * KEY_BYTES, HEX + "00"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "identity.key"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="is not 64 hexadecimal digits") as caught:
        KeyRing(tmp_path).key("identity")

    assert not text or text not in str(caught.value)


def test_a_key_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(b"\xff" * 64)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="cannot be read as a key"):
        KeyRing(tmp_path).key("identity")


def test_settings_go_before_files_and_are_told_by_their_variable(tmp_path: Path) -> None:
    given = Settings(home=tmp_path, capture=CaptureSettings(identity_key=SecretStr(HEX), references_key=SecretStr("7")))

    assert open_keys(given).key("identity") == bytes.fromhex(HEX)
    with pytest.raises(ConfigError, match="CUTOVER_CAPTURE__REFERENCES_KEY: is not 64 hexadecimal digits"):
        open_keys(given).key("references")
    assert not (tmp_path / "keys").exists()
