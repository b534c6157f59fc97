from pathlib import Path

import pytest

from harness.config import PROJECT
from harness.errors import ConfigError
from harness.security.lock import LOCK, read_lock

HASH = "    --hash=sha256:" + "0a" * 32


def locked(folder: Path, *lines: str) -> Path:
    (folder / LOCK).write_text("\n".join(lines) + "\n")
    return folder


def test_a_pin_is_read_with_its_hashes_and_its_line(tmp_path: Path) -> None:
    locked(
        tmp_path, "# made by uv", "PyYAML==6.0.3 \\", HASH + " \\", HASH, "    # via us", "rich[jupyter]==15.0 \\", HASH
    )

    first, second = read_lock(tmp_path)

    assert first == ("pyyaml", "6.0.3", None, 2, 2)
    assert second == ("rich", "15.0", None, 1, 6)


def test_a_marker_decides_whether_a_pin_is_wanted_here(tmp_path: Path) -> None:
    locked(
        tmp_path,
        "a==1 ; python_full_version < '3.0' \\",
        HASH,
        "a==2 ; python_full_version >= '3.0' \\",
        HASH,
        "b==1 ; sys_platform == 'nowhere' \\",
        HASH,
    )

    assert [(pin.name, pin.version, pin.applies) for pin in read_lock(tmp_path)] == [
        ("a", "1", False),
        ("a", "2", True),
        ("b", "1", False),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "a>=1",
        "a",
        "a @ https://example.com/a.whl",
        "--index-url https://example.com/simple",
        "-e .",
        "    --hash=md5:00",
        "    --hash=sha256:" + "0" * 63,
    ],
)
def test_anything_but_pins_hashes_and_comments_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 3: neither"):
        read_lock(locked(tmp_path, "a==1 \\", HASH, line))


def test_a_marker_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 1: .* is no marker"):
        read_lock(locked(tmp_path, "a==1 ; weather == 'fine' \\", HASH))


def test_a_missing_lock_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`make lock` writes it"):
        read_lock(tmp_path)


def test_our_own_lock_is_read_whole() -> None:
    pins = read_lock(PROJECT)

    assert len(pins) > 140
    assert all(pin.hashes for pin in pins)
    assert {"aiohttp", "duckdb", "streamlit"} <= {pin.name for pin in pins if pin.applies}
