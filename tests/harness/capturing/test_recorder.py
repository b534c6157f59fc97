import hashlib
import stat
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.capturing.keys import KeyRing
from harness.capturing.reasons import LeftOut
from harness.capturing.recorder import CaptureRecorder
from harness.clock import FakeClock
from harness.config import CaptureSettings
from harness.errors import CaptureError
from harness.exchanges import Capture
from harness.speech import Reference, VoiceKind
from replay.sources import read_captures
from tests.builders import NOON, a_capture, a_request, a_voice
from tests.traffic import a_wav

DAY = "live-2026-11-23.jsonl"


def a_recorder(folder: Path, **settings: Any) -> CaptureRecorder:
    return CaptureRecorder(
        folder / "captures", CaptureSettings(**settings), KeyRing(folder / "keys"), clock=FakeClock()
    )


def captures_in(folder: Path, name: str = DAY) -> list[Capture]:
    return list(read_captures(folder / "captures" / name))


def test_what_is_recorded_is_read_back_sanitised(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)

    assert recorder.record(a_capture(request=a_request("Call +49 30 901820."), user_key="anna")) is None

    (capture,) = captures_in(tmp_path)
    assert "901820" not in capture.request.text
    assert capture.user_key == recorder.sanitiser.pseudonyms.of("user", "anna")
    assert stat.S_IMODE((tmp_path / "captures" / DAY).stat().st_mode) == 0o600


def test_every_day_has_a_file_of_its_own(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)

    for day in range(3):
        recorder.record(a_capture(f"c{day}", captured_at=NOON + timedelta(days=day)))

    assert [len(captures_in(tmp_path, f"live-2026-11-{day}.jsonl")) for day in (23, 24, 25)] == [1, 1, 1]


def test_words_are_dropped_where_the_settings_say_so(tmp_path: Path) -> None:
    a_recorder(tmp_path, policy="drop").record(a_capture(request=a_request("My secret is here.")))

    assert "secret" not in captures_in(tmp_path)[0].request.text


@pytest.mark.parametrize(
    ("capture", "reason"),
    [
        (a_capture(request=a_request("Say sk-0123456789abcdef0123456789abcdef")), "text holds a DashScope or OpenAI"),
        (a_capture(request=a_request("x" * 100_001)), "text has 100001 characters"),
        (a_capture(request=a_request("\ud800")), "a field holds what a capture cannot"),
        (a_capture("a/b"), 'id must not hold "/"'),
        (a_capture(request=a_request(" ")), "a generate needs text"),
    ],
    ids=["credential", "too long", "half a character", "bad id", "blank"],
)
def test_what_may_not_be_kept_leaves_no_byte_on_the_disk(tmp_path: Path, capture: Capture, reason: str) -> None:
    left_out = a_recorder(tmp_path).record(capture)

    assert isinstance(left_out, LeftOut)
    assert left_out.reason.startswith(reason)
    assert not (tmp_path / "captures").exists()


def test_a_recording_goes_along_encrypted_for_those_with_the_key(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(a_wav()).hexdigest()
    voice = a_voice(VoiceKind.DESIGN, reference=Reference(sha256=sha256, transcript="Hi."))

    a_recorder(tmp_path).record(a_capture(request=a_request(voice=voice)), a_wav())

    source = read_captures(tmp_path / "captures" / DAY, keys=KeyRing(tmp_path / "keys"))
    assert source.references.get(sha256, "wav") == a_wav()
    assert a_wav()[:12] not in source.references.path(sha256, "wav").read_bytes()


def test_half_a_line_that_a_crash_left_costs_no_other(tmp_path: Path) -> None:
    a_recorder(tmp_path).record(a_capture("c1"))
    with (tmp_path / "captures" / DAY).open("ab") as file:
        file.write(b'{"schema": 1, "id": "c')

    a_recorder(tmp_path).record(a_capture("c2"))

    source = read_captures(tmp_path / "captures" / DAY)
    assert [capture.id for capture in source] == ["c1", "c2"]
    assert source.counts == (2, 1, 0)


def test_threads_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)

    def work(thread: int) -> None:
        for number in range(25):
            recorder.record(a_capture(f"{thread}-{number}"))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({capture.id for capture in captures_in(tmp_path)}) == 100


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "captures").write_text("no folder")

    with pytest.raises(CaptureError, match=r"live-2026-11-23\.jsonl: cannot be written: .*; the capture was lost"):
        a_recorder(tmp_path).record(a_capture())


@pytest.mark.parametrize(("share_bp", "expected"), [(0, 0), (2_500, 250), (10_000, 1_000)])
def test_the_share_is_drawn_by_the_id_alone(tmp_path: Path, share_bp: int, expected: int) -> None:
    recorder, other = a_recorder(tmp_path, share_bp=share_bp), a_recorder(tmp_path / "b", share_bp=share_bp)

    wanted = [recorder.wants(f"request-{number}") for number in range(1_000)]

    assert sum(wanted) == pytest.approx(expected, abs=50 if 0 < share_bp < 10_000 else 0)
    assert wanted == [other.wants(f"request-{number}") for number in range(1_000)]
