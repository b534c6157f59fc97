import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from yarl import URL

from harness.clock import FakeClock
from harness.config import QwenSettings
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.base import Deadline
from harness.providers.dashscope import AccountVoice, DashScope, MadeVoice, NewVoice, Spoken
from harness.providers.door import Door, Reply
from tests.harness.providers.stubs import CANARY, Handler, Script, a_raw_server, a_server, a_wav, drops, says, sends

OpenDoor = Callable[..., Awaitable[Door]]
SPEAK = "POST /api/v1/services/aigc/multimodal-generation/generation"
VOICES = "POST /api/v1/services/audio/tts/customization"
SPOKEN: dict[str, Any] = {
    "output": {
        "audio": {"data": "", "expires_at": 1770650166, "id": "audio_r1", "url": "http://oss/x.wav?Signature=X"},
        "finish_reason": "stop",
    },
    "usage": {"characters": 195},
    "request_id": "r1",
}
CLONE = NewVoice(
    kind="clone",
    target_model="qwen3-tts-vc-2026-01-22",
    name="r0123456789abcde",
    language="en",
    audio_url="data:audio/wav;base64,AAAA",
    transcript="I am Anna.",
)
DESIGN = NewVoice(
    kind="design",
    target_model="qwen3-tts-vd-2026-01-26",
    name="r0123456789abcde",
    language=None,
    description="A calm narrator.",
    preview_text="Welcome.",
)


@pytest.fixture
def open_api(open_door: OpenDoor, clock: FakeClock) -> Callable[[Script], Awaitable[DashScope]]:
    async def open_(server: Script) -> DashScope:
        return DashScope(await open_door(server.url), URL(server.url), QwenSettings(), clock)

    return open_


OpenApi = Callable[[Script], Awaitable[DashScope]]


@pytest.fixture
def deadline(clock: FakeClock) -> Deadline:
    return Deadline(clock, 5.0)


async def speak(api: DashScope, deadline: Deadline, **changes: Any) -> Spoken | Failure:
    wish = {"model": "m", "text": "Call me: 0171 5550123", "voice": "Cherry", "language_type": "English"} | changes
    answer = await api.speak(**({"instructions": None} | wish), deadline=deadline)
    return answer.result


async def test_a_synthesis_is_asked_for_as_documented(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(says(SPOKEN)) as server:
        api = await open_api(server)

        await speak(api, deadline)
        await speak(api, deadline, instructions="whisper")

    assert server.paths() == [SPEAK, SPEAK]
    plain = {"text": "Call me: 0171 5550123", "voice": "Cherry", "language_type": "English"}
    assert [seen.json for seen in server.seen] == [
        {"model": "m", "input": plain},
        {"model": "m", "input": plain | {"instructions": "whisper"}},
    ]
    assert server.seen[0].headers["authorization"] == f"Bearer {CANARY}"


async def test_a_synthesis_gives_the_address_of_its_audio(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(says(SPOKEN)) as server:
        spoken = await speak(await open_api(server), deadline)

    assert isinstance(spoken, Spoken)
    assert (spoken.url, spoken.audio, spoken.reported_chars) == ("http://oss/x.wav?Signature=X", None, 195)
    assert spoken.facts == {"audio_id": "audio_r1", "finish_reason": "stop", "expires_at": 1770650166}


async def test_a_synthesis_may_carry_the_audio_itself(open_api: OpenApi, deadline: Deadline) -> None:
    body = {"output": {"audio": {"data": base64.b64encode(a_wav()).decode()}}}
    async with a_server(says(body)) as server:
        spoken = await speak(await open_api(server), deadline)

    assert isinstance(spoken, Spoken)
    assert (spoken.url, spoken.audio, spoken.reported_chars) == (None, a_wav(), None)


async def test_audio_of_another_request_is_noticed(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(says(SPOKEN | {"request_id": "r2"})) as server:
        spoken = await speak(await open_api(server), deadline)

    assert isinstance(spoken, Spoken)
    assert spoken.facts["audio_id_differs"] is True


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(
            says({"request_id": "r", "code": "Arrearage", "message": ""}, 400), ErrorKind.BILLING, "Arrearage"
        ),
        pytest.param(says({"code": "InternalError", "message": ""}), ErrorKind.OVERLOADED, "InternalError"),
        pytest.param(says({"code": "New", "message": "what?"}), ErrorKind.BAD_RESPONSE, "New"),
        pytest.param(says({"output": {}}), ErrorKind.BAD_RESPONSE, None, id="no audio"),
        pytest.param(says({"output": {"audio": {"url": None}}}), ErrorKind.BAD_RESPONSE, None, id="null"),
        pytest.param(says({"output": {"audio": {"data": "%%%"}}}), ErrorKind.BAD_RESPONSE, None, id="no base64"),
        pytest.param(says(SPOKEN | {"usage": {"characters": "9"}}), ErrorKind.BAD_RESPONSE, None, id="usage as text"),
        pytest.param(sends(b"<html>welcome</html>"), ErrorKind.BAD_RESPONSE, None, id="a page"),
        pytest.param(sends(b"<html>bad gateway</html>", 502), ErrorKind.OVERLOADED, None, id="a gateway's page"),
        pytest.param(sends(b"", 504), ErrorKind.TIMEOUT_READ, None, id="a gateway's silence"),
        pytest.param(sends(b"", 302, location="https://evil.example/"), ErrorKind.BAD_RESPONSE, None, id="redirect"),
        pytest.param(drops(), ErrorKind.UNKNOWN_OUTCOME, None, id="closed"),
    ],
)
async def test_a_reply_without_audio_is_a_failure_of_its_kind(
    open_api: OpenApi, deadline: Deadline, answer: Handler, kind: ErrorKind, code: str | None
) -> None:
    async with a_server(answer) as server:
        failure = await speak(await open_api(server), deadline)

    assert isinstance(failure, Failure)
    assert (failure.kind, failure.code) == (kind, code)


async def test_an_error_that_quotes_the_text_is_not_repeated(open_api: OpenApi, deadline: Deadline) -> None:
    quoting = {"code": "InvalidParameter", "message": "cannot say 'Call me: 0171 5550123'"}
    async with a_server(says(quoting, 400), sends(b"no: Call me: 0171 5550123", 500)) as server:
        api = await open_api(server)
        failures = [await speak(api, deadline) for _ in range(2)]

    assert all(isinstance(failure, Failure) and "5550123" not in failure.detail for failure in failures)


async def test_retry_after_is_handed_on(open_api: OpenApi, deadline: Deadline) -> None:
    throttled = {"code": "Throttling", "message": ""}
    async with a_server(says(throttled, 429, Retry_After="3"), sends(b"busy", 503, Retry_After="7")) as server:
        api = await open_api(server)
        answers = [
            await api.speak(model="m", text="t", voice="v", language_type="Auto", instructions=None, deadline=deadline)
            for _ in range(2)
        ]

    assert [answer.advice.after_s for answer in answers] == [3.0, 7.0]


@pytest.mark.parametrize(
    ("answer", "request_id"),
    [
        pytest.param(says(SPOKEN, X_Request_Id="header"), "r1", id="of the body"),
        pytest.param(says({"output": SPOKEN["output"]}, X_Request_Id="header"), "header", id="of the header"),
        pytest.param(says({"code": "Throttling", "request_id": "r9"}, 429), "r9", id="of an error"),
        pytest.param(sends(b"<html>", 502, X_Request_Id="header"), "header", id="of a gateway"),
        pytest.param(sends(b"<html>", 502), None, id="of nobody"),
    ],
)
async def test_the_providers_request_id_is_kept_whatever_came_of_it(
    open_api: OpenApi, deadline: Deadline, answer: Handler, request_id: str | None
) -> None:
    async with a_server(answer) as server:
        api = await open_api(server)
        said = await api.speak(
            model="m", text="t", voice="v", language_type="Auto", instructions=None, deadline=deadline
        )

    assert said.request_id == request_id


async def test_a_clone_is_asked_for_as_documented(open_api: OpenApi, deadline: Deadline) -> None:
    made = {"output": {"voice": "v-1", "target_model": "t", "fallback_mode": False}, "usage": {"count": 1}}
    async with a_server(says(made)) as server:
        answer = await (await open_api(server)).make_voice(CLONE, deadline=deadline)

    assert server.paths() == [VOICES]
    assert server.seen[0].json == {
        "model": "qwen-voice-enrollment",
        "input": {
            "action": "create",
            "target_model": "qwen3-tts-vc-2026-01-22",
            "preferred_name": "r0123456789abcde",
            "language": "en",
            "audio": {"data": "data:audio/wav;base64,AAAA"},
            "text": "I am Anna.",
        },
    }
    assert isinstance(answer.result, MadeVoice)
    assert (answer.result.voice_id, answer.result.preview) == ("v-1", None)
    assert answer.result.facts == {"fallback_mode": False}


async def test_a_clone_in_degraded_mode_says_so(open_api: OpenApi, deadline: Deadline) -> None:
    made = {"output": {"voice": "v-1", "fallback_mode": True, "fallback_reason": "no_merged_segments"}}
    async with a_server(says(made)) as server:
        answer = await (await open_api(server)).make_voice(CLONE, deadline=deadline)

    assert isinstance(answer.result, MadeVoice)
    assert answer.result.facts == {"fallback_mode": True, "fallback_reason": "no_merged_segments"}


async def test_a_design_is_asked_for_as_documented_and_brings_its_preview(
    open_api: OpenApi, deadline: Deadline
) -> None:
    preview = {"data": base64.b64encode(a_wav()).decode(), "sample_rate": 24000, "response_format": "wav"}
    made = {"output": {"voice": "v-2", "preview_audio": preview}, "usage": {"count": 1}, "request_id": "r2"}
    async with a_server(says(made)) as server:
        answer = await (await open_api(server)).make_voice(DESIGN, deadline=deadline)

    assert server.seen[0].json == {
        "model": "qwen-voice-design",
        "input": {
            "action": "create",
            "target_model": "qwen3-tts-vd-2026-01-26",
            "preferred_name": "r0123456789abcde",
            "voice_prompt": "A calm narrator.",
            "preview_text": "Welcome.",
        },
        "parameters": {"sample_rate": 24000, "response_format": "wav"},
    }
    assert isinstance(answer.result, MadeVoice)
    assert (answer.result.voice_id, answer.result.preview, answer.request_id) == ("v-2", a_wav(), "r2")


async def test_a_creation_that_names_no_voice_made_no_sense(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(says({"output": {}, "usage": {"count": 1}})) as server:
        answer = await (await open_api(server)).make_voice(CLONE, deadline=deadline)

    assert isinstance(answer.result, Failure)
    assert answer.result.kind is ErrorKind.BAD_RESPONSE


def page(*names: str, total: int) -> Handler:
    listed = [{"voice": name, "target_model": "t", "gmt_create": "2026-03-01 12:00:00"} for name in names]
    return says({"output": {"page_index": 0, "page_size": 100, "total_count": total, "voice_list": listed}})


async def test_voices_are_listed_page_by_page_from_zero(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(page("a", "b", total=3), page("c", total=3)) as server:
        voices = await (await open_api(server)).voices("clone", deadline=deadline)

    assert voices == [AccountVoice(name, "t", "2026-03-01 12:00:00") for name in "abc"]
    assert [seen.json["input"]["page_index"] for seen in server.seen] == [0, 1]
    assert server.seen[0].json["model"] == "qwen-voice-enrollment"


async def test_a_list_that_promises_more_than_it_has_ends_all_the_same(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(page("a", total=1_000_000), page(total=1_000_000)) as server:
        voices = await (await open_api(server)).voices("design", deadline=deadline)

    assert isinstance(voices, list)
    assert len(voices) == 1
    assert len(server.seen) == 2


async def test_a_list_without_an_end_is_given_up(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(page("a", total=1_000_000)) as server:
        await (await open_api(server)).voices("design", deadline=deadline)

    assert len(server.seen) == 100


async def test_a_list_that_fails_is_a_failure(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(says({"code": "InvalidApiKey", "message": ""}, 401)) as server:
        voices = await (await open_api(server)).voices("clone", deadline=deadline)

    assert isinstance(voices, Failure)
    assert voices.kind is ErrorKind.AUTH


@pytest.mark.parametrize(
    ("answer", "gone"),
    [
        pytest.param(says({"usage": {"count": 0}, "request_id": "r"}), True, id="deleted"),
        pytest.param(says({"code": "BadRequest.VoiceNotFound", "message": ""}, 400), True, id="not there"),
        pytest.param(says({"code": "InternalError", "message": ""}, 500), False, id="unknown"),
    ],
)
async def test_a_voice_is_gone_when_the_provider_says_so(
    open_api: OpenApi, deadline: Deadline, answer: Handler, gone: bool
) -> None:
    async with a_server(answer) as server:
        api = await open_api(server)

        assert await api.delete_voice("clone", "v-1", deadline=deadline) is gone

    assert server.seen[0].json["input"] == {"action": "delete", "voice": "v-1"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, ErrorKind.URL_EXPIRED),
        (404, ErrorKind.URL_EXPIRED),
        (410, ErrorKind.URL_EXPIRED),
        (302, ErrorKind.BAD_RESPONSE),
        (500, ErrorKind.OVERLOADED),
    ],
)
async def test_audio_that_cannot_be_fetched_is_told_by_its_status(
    open_api: OpenApi, deadline: Deadline, status: int, kind: ErrorKind
) -> None:
    async with a_server(sends(b"<Code>AccessDenied</Code>", status)) as server:
        answer = await (await open_api(server)).download(URL(server.url) / "x.wav", deadline=deadline)

    assert isinstance(answer.result, Failure)
    assert answer.result.kind is kind


async def test_audio_is_fetched_without_the_key(open_api: OpenApi, deadline: Deadline) -> None:
    async with a_server(sends(a_wav())) as server:
        answer = await (await open_api(server)).download(URL(server.url) / "x.wav", deadline=deadline)

    assert isinstance(answer.result, Reply)
    assert answer.result.body == a_wav()
    assert "authorization" not in server.seen[0].headers


async def test_a_call_that_never_left_says_so(
    open_door: OpenDoor, clock: FakeClock, deadline: Deadline, unused_tcp_port: int
) -> None:
    base = f"http://127.0.0.1:{unused_tcp_port}"
    api = DashScope(await open_door(base), URL(base), QwenSettings(), clock)

    answer = await api.make_voice(CLONE, deadline=deadline)

    assert answer.sent is False


async def test_a_call_that_may_have_arrived_says_so(open_door: OpenDoor, clock: FakeClock, deadline: Deadline) -> None:
    async with a_raw_server(b"", then="reset") as base:
        api = DashScope(await open_door(base), URL(base), QwenSettings(), clock)

        answer = await api.make_voice(CLONE, deadline=deadline)

    assert answer.sent is True
