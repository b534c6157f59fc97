import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.clock import SystemClock
from harness.config import Settings
from harness.emulators.server import QwenOptions, running_qwen
from harness.errors import HarnessError
from harness.gateway.voice_book import VoiceBook, new_voice_id, voice_book_path
from harness.providers.base import Deadline, FreeAdmission
from harness.providers.catalogue import open_qwen
from harness.providers.voices import VoiceKey, VoiceRegistry
from harness.speech import Reference, VoiceKind
from harness.store.blobs import BlobStore
from harness.store.runs import audio_store
from harness.voices_cli import voices
from tests.builders import NOON, a_voice
from tests.canaries import QWEN_KEY
from tests.harness.providers.stubs import a_server, a_wav, says

KEY = VoiceKey(account="acme", region="ap-southeast-1", target_model="qwen3-tts-vc-2026-01-22", source="a" * 64)


@pytest.fixture
async def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    async with running_qwen(QwenOptions(time_scale=0.001)) as standin:
        monkeypatch.chdir(tmp_path)
        for name, value in {
            "HOME": str(tmp_path),
            "ALLOW_HOSTS": standin.base_url.removeprefix("http://"),
            "QWEN__BASE_URL": standin.base_url,
            "QWEN__API_KEY": QWEN_KEY,
            "QWEN__ACCOUNT": "acme",
            "QWEN__ALLOW_VOICE_CREATION": "1",
        }.items():
            monkeypatch.setenv(f"CUTOVER_{name}", value)
        yield tmp_path


async def a_kept_voice(home: Path) -> str:
    """A voice as a replay makes one."""
    references: BlobStore = audio_store(home)
    reference = Reference(sha256=references.put(a_wav(5.0), "wav"), transcript="I am Anna.")
    clock = SystemClock()
    async with open_qwen(Settings.load(), references=references, clock=clock) as qwen:
        made = await qwen.prepare_voice(
            a_voice(VoiceKind.CLONE, reference=reference),
            language="en",
            admission=FreeAdmission(),
            deadline=Deadline(clock, 10.0),
        )
    assert isinstance(made, str)
    return made


def make_older(home: Path, *, days: int) -> None:
    """Let everything that is remembered have happened so many days ago."""
    path = home / "voices.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        event["at"] = (datetime.fromisoformat(event["at"]) - timedelta(days=days)).isoformat()
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, voices, arguments)


async def owners() -> dict[str, str]:
    result = await run("list", "--json")
    return {voice["voice_id"]: voice["owner"] for voice in json.loads(result.stdout)["voices"]}


async def test_a_voice_of_a_replay_is_kept_while_it_is_remembered(home: Path) -> None:
    voice = await a_kept_voice(home)

    result = await run("gc", "--yes")

    assert (result.exit_code, result.stdout) == (0, "")
    assert await owners() == {voice: "replay"}


async def test_what_nobody_remembers_is_shown_first_and_deleted_only_when_told(home: Path) -> None:
    voice = await a_kept_voice(home)
    (home / "voices.jsonl").unlink()

    shown = await run("gc")
    after_showing = await owners()
    deleted = await run("gc", "--yes")

    assert shown.stdout == deleted.stdout == f"delete {voice}\n"
    assert "cutover voices gc --yes" in shown.stderr
    assert after_showing == {voice: "left over"}
    assert await owners() == {}


async def test_a_voice_that_is_gone_is_forgotten(home: Path) -> None:
    VoiceRegistry(home / "voices.jsonl").add(KEY, "qwen-tts-vc-cutover0-voice-1", made_at=NOON)
    before = await owners()

    result = await run("gc", "--yes")

    assert before == {"qwen-tts-vc-cutover0-voice-1": "gone"}
    assert result.stdout == "forget qwen-tts-vc-cutover0-voice-1\n"
    assert VoiceRegistry(home / "voices.jsonl").all() == {}


async def test_the_list_is_also_there_for_people_and_names_the_next_command(home: Path) -> None:
    voice = await a_kept_voice(home)

    result = await run("list")

    assert result.stdout.startswith("replay ")
    assert voice in result.stdout
    assert "1 voices, 0 to clear away" in result.stderr


async def test_a_voice_that_only_we_remember_is_marked_in_the_list(home: Path) -> None:
    VoiceRegistry(home / "voices.jsonl").add(KEY, "qwen-tts-vc-cutover0-voice-1", made_at=NOON)

    result = await run("list")

    assert result.stdout.startswith(f"gone       {'-':20} spoke {NOON:%Y-%m-%d} ")
    assert "remembered only: the account no longer has it" in result.stdout
    assert "1 voices, 1 to clear away" in result.stderr


async def test_a_remembered_voice_goes_only_when_it_has_long_not_spoken(home: Path) -> None:
    voice = await a_kept_voice(home)
    registry = VoiceRegistry(home / "voices.jsonl")
    today = SystemClock().now()
    make_older(home, days=40)

    too_early = await run("gc", "--unused-days", "41", "--yes")
    shown = await run("gc", "--unused-days", "39")
    registry.note_use(voice, used_at=today - timedelta(days=1))
    spoke = await run("gc", "--unused-days", "39")
    after_showing = await owners()
    deleted = await run("gc", "--unused-days", "0", "--yes")

    assert (too_early.stdout, spoke.stdout) == ("", "")
    assert shown.stdout == deleted.stdout == f"delete {voice}\n"
    assert "cutover voices gc --unused-days 39 --yes" in shown.stderr
    assert after_showing == {voice: "replay"}
    assert await owners() == {}
    assert VoiceRegistry(home / "voices.jsonl").all() == {}


@pytest.mark.parametrize("kind", [VoiceKind.CLONE, VoiceKind.DESIGN])
async def test_a_voice_that_a_caller_of_the_gateway_has_is_never_deleted(home: Path, kind: VoiceKind) -> None:
    voice = await a_kept_voice(home)
    reference = Reference(sha256=VoiceRegistry(home / "voices.jsonl").all()[voice].source, transcript="I am Anna.")
    book = VoiceBook(voice_book_path(home), SystemClock())
    theirs = a_voice(kind, id=new_voice_id(), reference=reference, description="calm")
    book.add("hmac:app", theirs, consent=None)

    kept = await run("gc", "--unused-days", "0", "--yes")
    book.delete("hmac:app", theirs.id)
    deleted = await run("gc", "--unused-days", "0", "--yes")

    assert (kept.exit_code, kept.stdout) == (0, "")
    assert deleted.stdout == f"delete {voice}\n"


async def test_voices_of_others_are_counted_and_shown_only_when_asked_for(home: Path) -> None:
    ours = await a_kept_voice(home)
    (home / "voices.jsonl").rename(home / "elsewhere.jsonl")

    # Under another prefix the same voice is somebody else's.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUTOVER_QWEN__VOICE_PREFIX", "other")
        silent, shown, cleared = await run("list"), await run("list", "--all"), await run("gc", "--yes")

    assert silent.stdout == ""
    assert "0 voices, 0 to clear away; 1 of others" in silent.stderr
    assert ours in shown.stdout
    assert cleared.stdout == ""
    assert list(await owners()) == [ours]


async def test_a_voice_of_the_degraded_mode_is_marked(home: Path) -> None:
    voice = await a_kept_voice(home)
    registry = VoiceRegistry(home / "voices.jsonl")
    registry.add(registry.all()[voice], voice, made_at=NOON, fallback_mode=True)

    assert "made in degraded mode" in (await run("list")).stdout


async def test_an_account_that_cannot_be_listed_is_told_in_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTOVER_QWEN__MAX_ATTEMPTS", "1")
    async with a_server(says({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, 401)) as server:
        monkeypatch.setenv("CUTOVER_QWEN__BASE_URL", server.url)
        monkeypatch.setenv("CUTOVER_ALLOW_HOSTS", server.authority)
        result = await run("gc", "--yes")

    assert isinstance(result.exception, HarnessError)
    assert "the key was refused" in str(result.exception)


async def test_a_voice_that_refuses_to_go_is_not_called_deleted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"voice_list": [{"voice": "qwen-tts-vc-cutover0a-voice-1-ab12"}], "total_count": 1}
    empty = says({"output": {"voice_list": [], "total_count": 0}})
    answers = [says({"output": listed}), empty, says({"code": "InternalError", "message": "m"}, 500)]
    async with a_server(*answers) as server:
        monkeypatch.setenv("CUTOVER_QWEN__BASE_URL", server.url)
        monkeypatch.setenv("CUTOVER_ALLOW_HOSTS", server.authority)
        result = await run("gc", "--yes")

    assert isinstance(result.exception, HarnessError)
    assert "1 of 1 voices could not be deleted" in str(result.exception)
