import base64
import json
from dataclasses import replace

import aiohttp
import numpy as np
import pytest

from harness.emulators.audio import RATE_HZ
from harness.emulators.knobs import PLAIN, Knobs, knobs_from
from harness.emulators.options import ModalOptions, QwenOptions
from harness.emulators.server import running_modal, running_qwen
from harness.emulators.timbres import CAST, median_pitch_hz
from harness.emulators.voices import Line, Rendition, speak
from harness.errors import UsageError
from tests.harness.emulators.callers import (
    COMMIT,
    FINISH,
    KEY,
    SPEAK,
    Caller,
    an_append,
    an_update,
    audio_in,
    heard,
    level_db,
    samples_of,
)

LINE = Line(
    text="The weather is lovely today.", language="en", timbre=CAST["tenor"], rendition=Rendition.HOSTED, take=1
)


def spoken(**knobs: float) -> np.ndarray:
    return speak(replace(LINE, knobs=Knobs(**knobs)))


def test_knobs_that_are_not_turned_change_nothing() -> None:
    assert np.array_equal(speak(replace(LINE, knobs=PLAIN)), speak(LINE))


def test_gain_is_in_decibels_and_clips_at_full_scale() -> None:
    assert level_db(spoken(gain_db=-6.0)) == pytest.approx(level_db(speak(LINE)) - 6.0, abs=0.01)
    assert np.mean(np.abs(spoken(gain_db=40.0)) == 1.0) > 0.2


def test_noise_has_the_level_that_was_asked_for() -> None:
    added = spoken(noise_db=-40.0) - speak(LINE)

    assert level_db(added) == pytest.approx(-40.0, abs=0.2)


def test_silence_comes_first_and_a_cut_comes_last() -> None:
    plain, silent, cut = speak(LINE), spoken(silence_s=0.5), spoken(keep=0.4)

    assert not silent[: RATE_HZ // 2].any()
    assert np.array_equal(silent[RATE_HZ // 2 :], plain)
    assert np.array_equal(cut, plain[: int(0.4 * len(plain))])


@pytest.mark.parametrize("pace", [0.8, 1.25])
def test_pace_shortens_the_speech(pace: float) -> None:
    assert len(spoken(pace=pace)) == pytest.approx(len(speak(LINE)) / pace, rel=0.1)


@pytest.mark.parametrize("pitch", [0.85, 1.2])
def test_pitch_moves_the_fundamental(pitch: float) -> None:
    heard = median_pitch_hz(spoken(pitch=pitch), rate_hz=RATE_HZ) / median_pitch_hz(speak(LINE), rate_hz=RATE_HZ)

    assert heard == pytest.approx(pitch, rel=0.06)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("volume=3", "no knob 'volume'; valid are pitch, pace, gain_db, noise_db, silence_s, keep"),
        ("pitch=3", "pitch takes 0.75 to 1.33"),
        ("keep=all", "keep takes 0 to 1"),
        ("pace", "pace takes 0.5 to 2"),
        ("gain_db=nan", "gain_db takes -60 to 60"),
    ],
)
def test_a_knob_that_cannot_be_turned_so_is_told(pair: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        knobs_from([pair])


async def test_both_stand_ins_turn_every_voice(session: aiohttp.ClientSession, wav: bytes) -> None:
    lengths = []
    for sound in ((), ("silence_s=2",)):
        async with running_qwen(QwenOptions(sound=sound)) as qwen, running_modal(ModalOptions(sound=sound)) as modal:
            there, here = Caller(session, qwen.base_url), Caller(session, modal.base_url)
            spoken_there = await there.get((await there.speak()).json["output"]["audio"]["url"], headers={})
            cloned_here = await here.clone(recording=wav)
            lengths.append([len(samples_of(answer.body)) for answer in (spoken_there, cloned_here)])

    assert [later - before for before, later in zip(*lengths, strict=True)] == [2 * RATE_HZ] * 2


async def said(session: aiohttp.ClientSession, *sound: str, text: str = LINE.text) -> dict[str, np.ndarray]:
    """One text as Qwen's stand-in hands it over: as a file, as events and over a WebSocket."""
    async with running_qwen(QwenOptions(sound=sound)) as standin:
        caller = Caller(session, standin.base_url)
        file = await caller.audio_of(await caller.speak(text, language_type="English"))
        body = {"model": "qwen3-tts-flash", "input": {"text": text, "voice": "Cherry"}}
        events = await caller.post(SPEAK, body, headers={**KEY, "X-DashScope-SSE": "enable"})
        update = an_update(mode="commit", language_type="English")
        realtime = audio_in(await heard(caller, update, an_append(text), COMMIT, FINISH))
    streamed = [json.loads(line[5:]) for line in events.body.splitlines() if line.startswith(b"data:")]
    pcm = b"".join(base64.b64decode(each["output"]["audio"]["data"]) for each in streamed)
    return {"file": samples_of(file), "events": pcm_samples(pcm), "realtime": pcm_samples(realtime)}


def pcm_samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768


async def test_every_knob_turns_speech_however_it_is_handed_over(session: aiohttp.ClientSession) -> None:
    plain = await said(session)
    turned = {
        knob.partition("=")[0]: await said(session, knob)
        for knob in ("pitch=1.2", "pace=0.8", "gain_db=-6", "noise_db=-40", "silence_s=0.5", "keep=0.4")
    }

    for way, before in plain.items():
        after = {knob: sounds[way] for knob, sounds in turned.items()}
        pitches = [median_pitch_hz(samples, rate_hz=RATE_HZ) for samples in (after["pitch"], before)]
        assert pitches[0] / pitches[1] == pytest.approx(1.2, rel=0.06), way
        assert len(after["pace"]) == pytest.approx(len(before) / 0.8, rel=0.1), way
        assert level_db(after["gain_db"]) == pytest.approx(level_db(before) - 6.0, abs=0.02), way
        assert level_db(after["noise_db"] - before) == pytest.approx(-40.0, abs=0.2), way
        assert not after["silence_s"][: RATE_HZ // 2].any(), way
        assert np.array_equal(after["silence_s"][RATE_HZ // 2 :], before), way
        assert np.array_equal(after["keep"], before[: int(0.4 * len(before))]), way


async def test_the_knobs_silence_comes_before_the_first_sentence_of_a_session_only(
    session: aiohttp.ClientSession,
) -> None:
    lengths = []
    for sound in ((), ("silence_s=1",)):
        async with running_qwen(QwenOptions(sound=sound)) as standin:
            caller = Caller(session, standin.base_url)
            messages = await heard(caller, an_update(), an_append("Good morning. How are you? I am well."), FINISH)
        assert sum(message["type"] == "response.done" for message in messages) == 3
        lengths.append(len(pcm_samples(audio_in(messages))))

    assert lengths[1] - lengths[0] == RATE_HZ
