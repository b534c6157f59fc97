import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from harness.clock import FakeClock
from harness.emulators.options import ModalOptions
from harness.emulators.server import Standin, running_modal
from harness.emulators.timbres import CAST, median_pitch_hz, timbre_of_description
from harness.speech import LANGUAGES, PROBE_TEXTS
from tests.canaries import MODAL_KEY, MODAL_SECRET
from tests.harness.emulators.callers import Caller, a_recording, level_db, samples_of
from tests.virtual_time import VirtualClock


@pytest.fixture
async def held() -> AsyncIterator[Standin]:
    """A stand-in that holds a request for 20 ms, where a cold call takes at least 80."""
    async with running_modal(ModalOptions(hold_s=20.0), clock=VirtualClock()) as standin:
        yield standin


async def test_a_clone_comes_back_as_bytes_with_the_headers_of_its_cost(modal: Caller, wav: bytes) -> None:
    cold = await modal.clone(recording=wav)
    warm = await modal.clone(recording=wav)

    assert cold.status == warm.status == 200
    assert 0.4 < len(samples_of(cold.body)) / 24_000 < 2.0
    assert cold.headers["Content-Type"] == "audio/wav"
    assert cold.headers["Content-Disposition"] == "attachment; filename=output.wav"
    assert int(cold.headers["Content-Length"]) == len(cold.body)
    assert (cold.headers["X-Model"], cold.headers["X-Gpu"]) == ("Qwen3-TTS-12Hz-1.7B-Base", "A10G")
    assert 5 < float(cold.headers["X-Inference-Seconds"]) < 15  # of the real GPU, however fast the stand-in is
    assert [answer.headers["X-Cold-Start"] for answer in (cold, warm)] == ["1", "0"]
    assert cold.headers["X-Request-Id"] != warm.headers["X-Request-Id"]
    assert cold.headers["X-Container-Id"].startswith("ta-")


async def test_it_is_cold_again_after_the_idle_window(session: aiohttp.ClientSession, wav: bytes) -> None:
    clock = FakeClock()
    async with running_modal(clock=clock) as standin:
        caller = Caller(session, standin.base_url)
        answers = [await caller.clone(recording=wav)]
        for idle_s in (0.299, 0.301):
            clock.advance(idle_s)
            answers.append(await caller.clone(recording=wav))

    assert [answer.headers["X-Cold-Start"] for answer in answers] == ["1", "0", "1"]
    assert answers[1].headers["X-Container-Id"] != answers[2].headers["X-Container-Id"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_language_is_spoken(modal: Caller, wav: bytes, language: str) -> None:
    answer = await modal.clone(PROBE_TEXTS[language], recording=wav, language=LANGUAGES[language])

    samples = samples_of(answer.body)
    assert 2.0 < len(samples) / 24_000 < 6.5
    assert level_db(samples) > -25


@pytest.mark.parametrize("timbre", CAST)
async def test_a_clone_sounds_like_its_recording_and_like_the_other_providers_clone(
    modal: Caller, qwen: Caller, timbre: str
) -> None:
    recording = a_recording(timbre)
    voice = (await qwen.enrol(recording)).json["output"]["voice"]

    candidate = await qwen.audio_of(await qwen.speak(PROBE_TEXTS["en"], model="qwen3-tts-vc-2026-01-22", voice=voice))
    control = (await modal.clone(PROBE_TEXTS["en"], recording=recording)).body

    pitch_hz = [median_pitch_hz(samples_of(wav), rate_hz=24_000) for wav in (recording, control, candidate)]
    assert pitch_hz[1] == pytest.approx(pitch_hz[0], rel=0.1)
    assert pitch_hz[2] == pytest.approx(pitch_hz[1], rel=0.05)


@pytest.mark.parametrize("description", ["A calm narrator.", "A bright young host.", "An old storyteller."])
async def test_a_voice_cloned_from_a_preview_sounds_like_the_design_on_the_other_side(
    modal: Caller, qwen: Caller, description: str
) -> None:
    voice = (await qwen.design(description)).json["output"]["voice"]
    body = {"text": PROBE_TEXTS["fr"], "language": "French", "instruct": description}
    preview = (await modal.post("/design", body)).body

    candidate = await qwen.audio_of(await qwen.speak(PROBE_TEXTS["en"], model="qwen3-tts-vd-2026-01-26", voice=voice))
    control = (await modal.clone(PROBE_TEXTS["en"], recording=preview)).body

    pitch_hz = [median_pitch_hz(samples_of(wav), rate_hz=24_000) for wav in (control, candidate)]
    assert pitch_hz[1] == pytest.approx(pitch_hz[0], rel=0.1)
    assert pitch_hz[0] == pytest.approx(timbre_of_description(description).median_hz, rel=0.1)


async def test_a_preset_sounds_like_the_preset_of_the_same_name_on_the_other_side(modal: Caller, qwen: Caller) -> None:
    control = await modal.post("/generate", {"text": PROBE_TEXTS["ja"], "language": "Japanese", "speaker": "Ono_Anna"})
    candidate = await qwen.audio_of(await qwen.speak(PROBE_TEXTS["ja"], voice="Ono Anna", language_type="Japanese"))

    spoken = [samples_of(wav) for wav in (control.body, candidate)]
    pitch_hz = [median_pitch_hz(samples, rate_hz=24_000) for samples in spoken]
    assert pitch_hz[1] == pytest.approx(pitch_hz[0], rel=0.05)
    assert len(spoken[1]) == pytest.approx(len(spoken[0]), rel=0.08)


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/clone", {}, "'text' is required"),
        ("/clone", {"text": "Hi."}, "'ref_text' is required"),
        ("/clone", {"text": "Hi.", "ref_text": "Ho."}, "Either 'ref_audio_url' or 'ref_audio_base64' is required"),
        ("/submit-job", {"text": "Hi.", "ref_text": "Ho.", "ref_audio_url": "x"}, "'ref_audio_base64' is required"),
        ("/design", {"text": "Hi."}, "'instruct' is required"),
        ("/design", {"text": "x" * 501, "instruct": "calm"}, "'text' must be at most 500 characters"),
        ("/generate", {"text": "Hi."}, "'speaker' is required"),
    ],
)
async def test_what_is_missing_is_named(modal: Caller, path: str, body: dict[str, Any], detail: str) -> None:
    answer = await modal.post(path, body)

    assert (answer.status, answer.json) == (400, {"detail": detail})


async def test_an_unknown_speaker_is_refused_with_those_there_are(modal: Caller) -> None:
    answer = await modal.post("/generate", {"text": "Hi.", "speaker": "Cherry"})

    assert answer.status == 400
    assert answer.json["detail"].startswith("Unsupported speaker: Cherry. Supported: Vivian, Serena, Uncle_Fu")


@pytest.mark.parametrize(
    "reference", [{"ref_audio_base64": "%%%"}, {"ref_audio_base64": "UklGRg=="}, {"ref_audio_url": "https://x/a.wav"}]
)
async def test_a_reference_that_is_no_audio_fails_the_generation(modal: Caller, reference: dict[str, str]) -> None:
    answer = await modal.post("/clone", {"text": "Hi.", "ref_text": "Ho.", **reference})

    assert answer.status == 500
    assert answer.json["detail"].startswith("Generation failed: ")


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({}, 401, b"modal-http: missing credentials for proxy authorization"),
        ({"Modal-Key": MODAL_KEY}, 401, b"modal-http: missing credentials for proxy authorization"),
        (
            {"Modal-Key": MODAL_KEY, "Modal-Secret": "no"},
            401,
            b"modal-http: invalid credentials for proxy authorization",
        ),
        ({"Modal-Key": MODAL_KEY, "Modal-Secret": MODAL_SECRET}, 200, None),
    ],
)
async def test_the_proxy_asks_for_both_halves_of_the_key(
    session: aiohttp.ClientSession, headers: Mapping[str, str], status: int, text: bytes | None
) -> None:
    async with running_modal(ModalOptions(key=MODAL_KEY, secret=MODAL_SECRET), clock=VirtualClock()) as standin:
        answer = await Caller(session, standin.base_url).get("/health", headers=headers)
        meter = await Caller(session, standin.base_url).get("/_standin/meter", headers={})

    assert answer.status == status
    assert text is None or (answer.body, answer.headers["Content-Type"]) == (text, "text/plain; charset=utf-8")
    assert meter.status == 200


async def test_a_long_call_is_passed_on_by_303_and_done_once(
    session: aiohttp.ClientSession, held: Standin, wav: bytes
) -> None:
    caller = Caller(session, held.base_url)
    answers = [await caller.clone(recording=wav)]
    while answers[-1].status == 303:
        answers.append(await caller.get(answers[-1].headers["Location"]))
    again = await caller.get(answers[-2].headers["Location"])

    locations = {answer.headers["Location"] for answer in answers[:-1]}
    assert len(answers) > 2
    assert len(locations) == 1
    assert locations.pop().startswith(f"{held.base_url}/clone?__modal_function_call_id=fc-")
    assert answers[-1].status == 200
    assert again.body == answers[-1].body
    assert held.account.meter()["total"] == {"gpu_s": float(again.headers["X-Inference-Seconds"])}


async def test_a_client_that_follows_redirects_gets_there(
    session: aiohttp.ClientSession, held: Standin, wav: bytes
) -> None:
    body = {"text": "Hello.", "instruct": "calm"}
    async with session.post(f"{held.base_url}/design", json=body, max_redirects=30) as reply:
        samples = samples_of(await reply.read())

    assert len(reply.history) >= 2  # how many fit depends on the machine's pace
    assert len(samples) > 0.3 * 24_000


async def test_a_get_without_a_call_is_not_allowed(modal: Caller) -> None:
    assert (await modal.get("/clone")).status == 405
    assert (await modal.get("/clone?__modal_function_call_id=fc-0")).status == 404


async def submit(caller: Caller, text: str, recording: bytes) -> Any:
    body = {"text": text, "ref_text": "x", "ref_audio_base64": base64.b64encode(recording).decode()}
    return (await caller.post("/submit-job", body)).json


async def test_a_job_goes_from_running_to_completed(session: aiohttp.ClientSession, wav: bytes) -> None:
    clock = FakeClock()
    async with running_modal(clock=clock) as standin:
        caller = Caller(session, standin.base_url)
        submitted = await submit(caller, "Hello there.", wav)
        job_id = submitted["job_id"]
        clock.advance(0.02)
        running = (await caller.get(f"/job-status?job_id={job_id}")).json
        early = await caller.get(f"/job-result?job_id={job_id}")
        clock.advance(1.0)
        status = running
        while status["status"] == "running":
            status = (await caller.get(f"/job-status?job_id={job_id}")).json
        result = await caller.get(f"/job-result?job_id={job_id}")

    assert submitted == {"job_id": job_id, "status": "submitted", "text_length": 12}
    assert running == {"job_id": job_id, "status": "running", "result_ready": False, "elapsed_seconds": 20.0}
    assert (early.status, early.body) == (202, b'{"detail":"Job still processing"}')
    assert status == {"job_id": job_id, "status": "completed", "result_ready": True}
    assert result.status == 200
    assert len(samples_of(result.body)) > 0.3 * 24_000


async def test_a_failed_job_is_a_200_that_says_failed(modal: Caller) -> None:
    job_id = (await submit(modal, "Hello.", b"no audio"))["job_id"]

    status: dict[str, Any] = {"status": "running"}
    while status["status"] == "running":
        answer = await modal.get(f"/job-status?job_id={job_id}")
        status = answer.json
    result = await modal.get(f"/job-result?job_id={job_id}")

    assert answer.status == 200
    assert (status["status"], status["result_ready"]) == ("failed", False)
    assert status["error"].startswith("Generation failed: ")
    assert result.status == 500
    assert result.json["detail"].startswith("Failed to get result: Generation failed: ")


async def test_a_cancelled_job_has_no_result(modal: Caller, wav: bytes) -> None:
    job_id = (await submit(modal, "Hello.", wav))["job_id"]

    cancelled = await modal.post("/job-cancel", {"job_id": job_id})
    status = await modal.get(f"/job-status?job_id={job_id}")
    result = await modal.get(f"/job-result?job_id={job_id}")

    assert cancelled.body == b'{"cancelled":true}'
    assert status.json == {"job_id": job_id, "status": "cancelled", "result_ready": False}
    assert result.status == 500


@pytest.mark.parametrize("path", ["/job-status", "/job-result"])
async def test_an_unknown_job_is_404_and_none_at_all_422(modal: Caller, path: str) -> None:
    unknown, unnamed = await modal.get(f"{path}?job_id=fc-0"), await modal.get(path)

    assert unknown.status == 404
    assert (unnamed.status, unnamed.json["detail"][0]["loc"]) == (422, ["query", "job_id"])


async def test_asking_for_health_can_cause_the_cold_start(modal: Caller, wav: bytes) -> None:
    health = await modal.get("/health")
    clone = await modal.clone(recording=wav)

    assert health.json == {
        "status": "healthy",
        "model": "Qwen3-TTS-12Hz-1.7B-Base",
        "gpu": "NVIDIA A10G",
        "attention_implementation": "sdpa",
        "supported_languages": ["Auto", *LANGUAGES.values()],
    }
    assert clone.headers["X-Cold-Start"] == "0"


async def test_the_same_seed_and_turn_give_the_same_bytes(session: aiohttp.ClientSession, wav: bytes) -> None:
    async def turns() -> list[bytes]:
        async with running_modal(clock=VirtualClock()) as standin:
            caller = Caller(session, standin.base_url)
            return [(await caller.clone(recording=wav)).body for _ in range(2)]

    first, again = await turns(), await turns()

    assert first == again
    assert first[0] != first[1]
