from collections.abc import Awaitable, Callable

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Failure
from harness.providers.modal import ModalProvider
from harness.providers.modal_health import Health
from tests.harness.providers.stubs import CANARY, Handler, a_server, says, sends

OpenModal = Callable[..., Awaitable[ModalProvider]]
HEALTHY = says({"status": "healthy", "model": "Qwen3-TTS-12Hz-1.7B-Base", "gpu": "NVIDIA A10G"})


async def test_the_deployment_tells_its_model_and_gpu(open_modal: OpenModal) -> None:
    async with a_server(HEALTHY) as server:
        health = await (await open_modal(server.url)).health()

    assert health == Health(model="Qwen3-TTS-12Hz-1.7B-Base", gpu="NVIDIA A10G", took_s=0.0)
    assert server.paths() == ["GET /health"]
    assert server.seen[0].headers["modal-key"] == f"wk-{CANARY}"


async def test_it_is_asked_again_only_after_a_while(open_modal: OpenModal, clock: FakeClock) -> None:
    async with a_server(HEALTHY, says({"detail": "no"}, 503)) as server:
        provider = await open_modal(server.url, health_every_s=60.0)
        first = await provider.health()
        await clock.sleep(59.0)
        second = await provider.health()
        calls = len(server.seen)
        await clock.sleep(1.0)
        third = await provider.health()

    assert calls == 1
    assert first is second
    assert isinstance(third, Failure)
    assert third.kind is ErrorKind.OVERLOADED


@pytest.mark.parametrize(
    "answer", [sends(b"modal-http: down", 503), says({"detail": "no"}, 401)], ids=["down", "refused"]
)
async def test_a_failed_question_is_not_repeated_at_once_either(open_modal: OpenModal, answer: Handler) -> None:
    async with a_server(answer) as server:
        provider = await open_modal(server.url)
        answers = [await provider.health() for _ in range(3)]

    assert all(isinstance(each, Failure) for each in answers)
    assert len(server.seen) == 1


@pytest.mark.parametrize("answer", [sends(b""), sends(b"[]"), says({"model": 1, "gpu": None})])
async def test_an_answer_without_words_is_healthy_too(open_modal: OpenModal, answer: Handler) -> None:
    async with a_server(answer) as server:
        health = await (await open_modal(server.url)).health()

    assert health == Health(model=None, gpu=None, took_s=0.0)
