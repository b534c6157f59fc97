import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.config import QwenSettings, Settings
from harness.errors import ErrorKind
from harness.exchanges import Consent, Exchange, Lane, Speech
from harness.gateway.copies import Copy, ShadowCounts
from harness.gateway.shadow_wire import Begin, Message, Offered, Report, Throttled, messages, packed
from harness.speech import Operation, Reference, SpeechRequest, Voice, VoiceKind
from tests.builders import NOON, an_exchange
from tests.canaries import QWEN_KEY
from tests.harness.gateway.copying import a_copy

CLONE = SpeechRequest(
    operation=Operation.CLONE,
    text="",
    language="de",
    voice=Voice(
        kind=VoiceKind.CLONE,
        id="Käthe",
        reference=Reference(sha256="ab" * 32, transcript="Guten 早上"),
        description="x",
    ),
    instructions="slowly",
    stream=True,
)
CONSENT = Consent(scope=("replay", "clone:qwen"), region="here", expires_at=NOON + timedelta(days=1), evidence=None)
MADE = replace(
    an_exchange(provider="qwen", audio=bytes(range(256)) * 1_000),
    facts={"listener_bytes": 7, "share": 0.25, "tags": ["a", None]},
    cold=True,
    voice_id="v-1",
)
COPIES = {
    "plain": a_copy(),
    "fallback": a_copy(
        exchanges={
            Lane.CANDIDATE: an_exchange(provider="qwen", failed=ErrorKind.TIMEOUT_READ),
            Lane.CONTROL: an_exchange(audio=b""),
        },
        to=None,
    ),
    "both spoke": a_copy(exchanges={Lane.CANDIDATE: MADE, Lane.CONTROL: an_exchange(audio=b"modal")}, to=Lane.CONTROL),
    "voice": a_copy(request=CLONE, consent=CONSENT, caller_key=None),
}


async def over(message: Message, *, cut: int = 0) -> Message | None:
    """What arrives of it, without its last `cut` bytes."""
    reader, data = asyncio.StreamReader(), b"".join(packed(message))
    reader.feed_data(data[: len(data) - cut])
    reader.feed_eof()
    return await anext(messages(reader), None)


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
async def test_a_copy_arrives_whole_and_without_whom_it_concerns(copy: Copy) -> None:
    told: list[Exchange | None] = []

    arrived = await over(Offered(number=3, copy=replace(copy, done=told.append), wants_outcome=True))

    assert isinstance(arrived, Offered)
    assert (arrived.number, arrived.copy, arrived.wants_outcome) == (3, copy, True)
    arrived.copy.tell(None)
    assert told == []


async def test_an_outcome_comes_back_without_its_audio() -> None:
    counts = ShadowCounts(offered=3, kept=2, lost=1)

    arrived = await over(Report(counts=counts, waiting=4, spent_microusd=5, ended={6: MADE, 7: None}))

    assert isinstance(arrived, Report)
    assert isinstance(MADE.result, Speech)
    mute = replace(MADE, result=replace(MADE.result, audio=b""))
    assert arrived == Report(counts=counts, waiting=4, spent_microusd=5, ended={6: mute, 7: None})


async def test_short_messages_arrive() -> None:
    for message in (Throttled(lane=Lane.CANDIDATE), Report(counts=ShadowCounts(), waiting=0, spent_microusd=0)):
        assert await over(message) == message


async def test_settings_arrive_as_they_are_with_their_keys_and_no_word_shows_them(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, allow_hosts=frozenset({"b:1", "a:2"}), qwen=QwenSettings(api_key=QWEN_KEY))
    begin = Begin.of(settings, {Lane.CANDIDATE: "qwen"}, processes=2)

    arrived = await over(begin)

    assert isinstance(arrived, Begin)
    assert arrived == begin
    assert Settings.model_validate(arrived.settings) == settings
    assert QWEN_KEY not in repr(arrived)


@pytest.mark.parametrize("cut", [1, 5, 100_000])
async def test_what_is_cut_off_is_the_end(cut: int) -> None:
    message = Offered(number=1, copy=COPIES["both spoke"], wants_outcome=False)

    assert await over(message, cut=cut) is None


@pytest.mark.parametrize("at_once", [7, 100_000, 10_000_000])
async def test_messages_follow_each_other(at_once: int) -> None:
    reader = asyncio.StreamReader()
    offered = [Offered(number=number, copy=copy, wants_outcome=False) for number, copy in enumerate(COPIES.values())]
    data = b"".join(part for message in offered for part in packed(message))

    async def send() -> None:
        for begin in range(0, len(data), at_once):
            reader.feed_data(data[begin : begin + at_once])
            if at_once > 1_000:
                await asyncio.sleep(0)
        reader.feed_eof()

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        arrived = [message async for message in messages(reader)]

    assert arrived == offered
