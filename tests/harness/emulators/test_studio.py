import asyncio
import threading
from functools import partial

import numpy as np
import pytest

from harness.emulators.scenarios import Damage
from harness.emulators.studio import Studio, perform, record
from harness.emulators.timbres import median_pitch_hz
from harness.speech import PROBE_TEXTS
from tests.harness.emulators.callers import a_line, level_db, samples_of

LINE = a_line(PROBE_TEXTS["en"])


def test_an_undamaged_line_is_plain_speech() -> None:
    assert level_db(samples_of(record(LINE))) == pytest.approx(-21, abs=1)


def test_truncated_audio_ends_too_early_under_a_valid_header() -> None:
    whole, cut = (samples_of(record(LINE, damage=damage)) for damage in (None, Damage.TRUNCATED))

    assert len(cut) == pytest.approx(0.45 * len(whole), rel=0.01)
    assert np.array_equal(cut, whole[: len(cut)])


def test_clipped_audio_sits_at_the_rails() -> None:
    clipped = samples_of(record(LINE, damage=Damage.CLIPPED))

    assert np.mean(np.abs(clipped) > 0.99) > 0.15


def test_silent_audio_is_as_long_as_speech_and_holds_nothing() -> None:
    silent = samples_of(record(LINE, damage=Damage.SILENT))

    assert len(silent) == len(perform(LINE, None))
    assert not silent.any()


@pytest.mark.parametrize("timbre", ["bass", "tenor", "mezzo", "soprano"])
def test_the_wrong_voice_is_unmistakably_another(timbre: str) -> None:
    line = a_line(PROBE_TEXTS["en"], timbre=timbre)
    right, wrong = (median_pitch_hz(perform(line, damage), rate_hz=24_000) for damage in (None, Damage.WRONG_VOICE))

    assert max(right, wrong) / min(right, wrong) > 1.6


def test_speech_beyond_the_most_tokens_is_cut_without_a_word() -> None:
    assert len(samples_of(record(LINE, max_tokens=10))) == 10 * 1_920


async def test_work_is_done_beside_the_event_loop_one_after_another() -> None:
    names: list[str] = []

    async with Studio() as studio, asyncio.TaskGroup() as tasks:

        async def once() -> None:
            await studio.run(lambda: names.append(threading.current_thread().name))

        for _ in range(5):
            tasks.create_task(once())

    assert names == ["studio_0"] * 5


async def test_what_fails_there_fails_here() -> None:
    async with Studio() as studio:
        with pytest.raises(ZeroDivisionError):
            await studio.run(partial(divmod, 1, 0))
