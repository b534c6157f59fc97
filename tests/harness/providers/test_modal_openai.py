import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.server import running_modal
from harness.errors import ErrorKind
from harness.exchanges import Failure, Speech
from harness.providers.base import Deadline
from harness.providers.modal import ModalProvider
from harness.providers.modal_openai import openai_order_for
from harness.speech import Operation, SpeechRequest, Voice, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_request, a_voice
from tests.canaries import VLLM_KEY
from tests.harness.providers.stubs import CANARY, Till, a_server, a_wav, says, sends
from tests.virtual_time import VirtualClock

OpenModal = Callable[..., Awaitable[ModalProvider]]


@pytest.mark.parametrize(
    ("request_", "purpose", "body"),
    [
        pytest.param(
            a_request(voice=a_voice(id="Ono Anna")),
            "speak",
            {"task_type": "CustomVoice", "voice": "Ono_Anna", "language": "English"},
            id="preset",
        ),
        pytest.param(
            a_request(voice=a_voice(id="Vivian"), instructions="whisper", language=None),
            "speak",
            {"task_type": "CustomVoice", "voice": "Vivian", "instructions": "whisper", "language": "Auto"},
            id="preset with instructions",
        ),
        pytest.param(
            a_request(operation=Operation.DESIGN),
            "design",
            {"task_type": "VoiceDesign", "instructions": "A calm middle-aged narrator.", "language": "English"},
            id="design",
        ),
    ],
)
async def test_each_wish_is_one_body_of_the_same_call(
    references: BlobStore, request_: SpeechRequest, purpose: str, body: dict[str, str]
) -> None:
    order = await openai_order_for(request_, references)

    assert not isinstance(order, Failure)
    assert (order.purpose, order.path, order.may_be_job) == (purpose, "v1/audio/speech", False)
    assert order.body == body | {"input": "Good morning.", "response_format": "wav"}


@pytest.mark.parametrize("operation", [Operation.GENERATE, Operation.CLONE])
async def test_a_cloned_voice_takes_its_reference_along(
    references: BlobStore, anna: Voice, operation: Operation
) -> None:
    order = await openai_order_for(a_request(operation=operation, voice=anna), references)

    assert not isinstance(order, Failure)
    assert order.body["task_type"] == "Base"
    assert order.body["ref_audio"] == "data:audio/wav;base64," + base64.b64encode(a_wav(3.0)).decode()
    assert order.body["ref_text"] == "I am Anna."


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(a_request(language="sv"), "local.language", id="language"),
        pytest.param(a_request(voice=a_voice(VoiceKind.CLONE)), "local.reference_missing", id="no such recording"),
    ],
)
async def test_what_cannot_be_done_is_told_without_a_call(
    references: BlobStore, request_: SpeechRequest, code: str
) -> None:
    order = await openai_order_for(request_, references)

    assert isinstance(order, Failure)
    assert order.code == code


async def test_the_dialect_is_chosen_by_a_setting_and_its_tokens_are_kept(open_modal: OpenModal) -> None:
    tokens = {"x_vllm_omni_input_tokens": "12", "x_vllm_omni_output_tokens": "34"}
    async with a_server(sends(a_wav(), **tokens)) as server:
        provider = await open_modal(server.url, dialect="openai", submit_over_chars=0)
        request = a_request(voice=a_voice(id="Vivian"))
        exchange = await provider.synthesize(request, admission=Till(), deadline=Deadline(VirtualClock(), 5.0))

    assert isinstance(exchange.result, Speech)
    assert server.paths() == ["POST /v1/audio/speech"]
    assert server.seen[0].headers["modal-key"] == f"wk-{CANARY}"
    assert exchange.facts["tokens"] == {"input-tokens": "12", "output-tokens": "34"}


def an_error(message: str, type_: str, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, an_error("Invalid voice 'X'", "BadRequestError", 400), ErrorKind.BAD_REQUEST),
        (404, an_error("The model `x` does not exist.", "NotFoundError", 404), ErrorKind.MODEL_RETIRED),
        (500, an_error("engine is dead", "InternalServerError", 500), ErrorKind.OVERLOADED),
    ],
)
async def test_its_errors_are_read_by_their_message(
    open_modal: OpenModal, status: int, body: dict[str, Any], kind: ErrorKind
) -> None:
    async with a_server(says(body, status)) as server:
        provider = await open_modal(server.url, dialect="openai", max_attempts=1)
        request = a_request(voice=a_voice(id="Vivian"))
        exchange = await provider.synthesize(request, admission=Till(), deadline=Deadline(VirtualClock(), 5.0))

    assert isinstance(exchange.result, Failure)
    assert exchange.result.kind is kind
    assert body["error"]["message"] in exchange.result.detail


async def test_vllms_own_key_goes_along_beside_modals(open_modal: OpenModal) -> None:
    async with a_server(sends(a_wav())) as server:
        provider = await open_modal(server.url, dialect="openai", api_key=SecretStr(VLLM_KEY))
        request = a_request(voice=a_voice(id="Vivian"))
        await provider.synthesize(request, admission=Till(), deadline=Deadline(VirtualClock(), 5.0))

    assert server.seen[0].headers["authorization"] == f"Bearer {VLLM_KEY}"
    assert server.seen[0].headers["modal-key"] == f"wk-{CANARY}"


@pytest.mark.parametrize("operation", [Operation.GENERATE, Operation.CLONE])
async def test_the_stand_in_speaks_this_dialect_too(open_modal: OpenModal, anna: Voice, operation: Operation) -> None:
    async with running_modal(ModalOptions(time_scale=0.001, dialect=Dialect.VLLM), clock=VirtualClock()) as standin:
        provider = await open_modal(standin.base_url, dialect="openai")
        request = a_request(operation=operation, voice=anna)
        exchange = await provider.synthesize(request, admission=Till(), deadline=Deadline(VirtualClock(), 10.0))

    assert isinstance(exchange.result, Speech), exchange.result
    assert "tokens" in exchange.facts
