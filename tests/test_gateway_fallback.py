"""Legacy stands in when Qwen fails: at once, once, and with the caller none the wiser."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.clock import SystemClock
from harness.emulators.options import ModalOptions
from harness.rollout.places import kill_file
from tests.gateways import running_gateway

QUICK: dict[str, Any] = {"first_byte_s": 0.3}


def every(fault: str) -> dict[str, Any]:
    return {"faults": [{"fault": fault, "times": None}]}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("unavailable", "overloaded"),
        ("internal-error", "overloaded"),
        ("bad-key", "auth"),
        ("reset-before", "unknown_outcome"),
    ],
)
async def test_a_failure_of_qwen_is_answered_by_legacy(tmp_path: Path, fault: str, reason: str) -> None:
    async with running_gateway(tmp_path, **QUICK) as world:
        world.qwen.script.load(every(fault))

        status, headers, audio = await world.speak()

        assert (status, headers["X-Provider"], headers["X-Fallback"]) == (200, "modal", reason)
        assert audio[:4] == b"RIFF"
        assert (world.asked(world.qwen), world.asked(world.modal)) == (1, 1)


async def test_qwen_that_never_answers_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **QUICK) as world:
        world.qwen.script.load(every("hang-before"))
        began_s = SystemClock().monotonic()

        status, headers, _ = await world.speak()

        assert (status, headers["X-Provider"], headers["X-Fallback"]) == (200, "modal", "timeout_read")
        assert SystemClock().monotonic() - began_s >= 0.3


async def test_after_three_failures_in_a_row_qwen_is_not_asked_any_more(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **QUICK) as world:
        world.qwen.script.load(every("unavailable"))

        replies = [await world.speak() for _ in range(6)]

        assert [headers["X-Fallback"] for _, headers, _ in replies] == ["overloaded"] * 3 + ["none"] * 3
        assert [headers["X-Route"] for _, headers, _ in replies] == ["in-share"] * 3 + ["candidate-down"] * 3
        assert {status for status, _, _ in replies} == {200}
        assert world.asked(world.qwen) == 3


async def test_when_both_fail_the_caller_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **QUICK) as world:
        world.qwen.script.load(every("unavailable"))
        world.modal.script.load(every("app-error"))

        status, headers, body = await world.speak()

        assert (status, headers["Retry-After"]) == (503, "5")
        assert b'"providers_unavailable"' in body
        assert b"CUDA" not in body
        assert (world.asked(world.qwen), world.asked(world.modal)) == (1, 1)


async def test_the_kill_switch_stops_qwen_with_the_next_request(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        before = await world.speak()
        kill_file(tmp_path).touch()
        asked = world.asked(world.qwen)

        after = [await world.speak() for _ in range(5)]

        assert before[1]["X-Provider"] == "qwen"
        assert {(headers["X-Provider"], headers["X-Route"]) for _, headers, _ in after} == {("modal", "killed")}
        assert world.asked(world.qwen) == asked


async def test_under_load_at_most_the_calls_under_way_reach_qwen_after_the_kill(tmp_path: Path) -> None:
    modal = ModalOptions(containers=100)
    async with running_gateway(tmp_path, modal=modal) as world:
        callers, stop = 8, asyncio.Event()
        answered = [0] * callers

        async def keep_asking(caller: int) -> None:
            while not stop.is_set():
                status, _, _ = await world.speak("Go.")
                assert status == 200
                answered[caller] += 1

        async def everybody_is_answered(more: int) -> None:
            """Return when every caller has had `more` further answers, however slow the machine is."""
            goal = [have + more for have in answered]
            while any(have < wanted for have, wanted in zip(answered, goal, strict=True)):
                await asyncio.sleep(0.01)

        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for caller in range(callers):
                group.create_task(keep_asking(caller))
            await everybody_is_answered(2)
            kill_file(tmp_path).touch()
            # What was sent before is counted by the stand-in when it is answered.
            await everybody_is_answered(1)
            asked = world.asked(world.qwen)
            await everybody_is_answered(3)
            stop.set()

        assert asked > 0
        assert world.asked(world.qwen) == asked


async def test_a_text_that_qwen_may_not_speak_is_spoken_by_legacy(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        world.qwen.script.load(every("content"))

        replies = [await world.speak() for _ in range(5)]

        # A refusal of a text says nothing about Qwen's health, so Qwen goes on being asked.
        assert {headers["X-Fallback"] for _, headers, _ in replies} == {"content_blocked"}
        assert {headers["X-Route"] for _, headers, _ in replies} == {"in-share"}


async def test_a_caller_who_leaves_gives_the_permit_back(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as world:
        world.qwen.script.load(every("hang-before"))

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await world.speak()
        world.qwen.script.load({"faults": []})
        _, headers, _ = await world.speak()

        assert headers["X-Provider"] == "qwen"
