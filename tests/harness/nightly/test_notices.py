from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from harness.clock import SystemClock
from harness.config import NightlySettings, Settings
from harness.errors import ConfigError, UsageError
from harness.nightly.notices import NotTold, PullRequest, comment, notify
from tests.canaries import GITHUB_TOKEN, WEBHOOK_PATH

PLACE = PullRequest("our-team", "speech", "7")
MARK = "<!-- mark -->"


class Desk:
    """A server that takes notices: what it was sent, and comments it keeps."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any] | None, str | None]] = []
        self.comments: list[dict[str, Any]] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body, request.headers.get("Authorization")))
        if self.status != 200:
            return web.Response(status=self.status)
        if request.method == "GET":
            page = int(request.query["page"])
            return web.json_response(self.comments[100 * (page - 1) : 100 * page])
        return web.json_response({"html_url": "https://example.test/comment"})


@pytest.fixture
async def desk() -> AsyncIterator[tuple[Desk, str]]:
    found = Desk()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.answer)
    async with _served(application) as port:
        yield found, f"127.0.0.1:{port}"


@asynccontextmanager
async def _served(application: web.Application) -> AsyncIterator[int]:
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def settings(host: str, **changes: Any) -> Settings:
    nightly = {
        "webhook": f"http://{host}/{WEBHOOK_PATH}",
        "notify_hosts": "127.0.0.1",
        "github_api": f"http://{host}/api",
        "github_token": GITHUB_TOKEN,
        **changes,
    }
    return Settings(allow_hosts=frozenset({host}), nightly=NightlySettings(**nightly))


async def test_a_webhook_gets_the_markdown_and_the_facts(desk: tuple[Desk, str]) -> None:
    found, host = desk

    told = await notify(settings(host), "**GO**", {"night": "1", "exit_status": 0}, clock=SystemClock())

    assert told
    assert found.asked == [("POST", f"/{WEBHOOK_PATH}", {"text": "**GO**", "night": "1", "exit_status": 0}, None)]


async def test_without_a_webhook_nobody_is_told() -> None:
    assert not await notify(Settings(nightly=NightlySettings()), "**GO**", {}, clock=SystemClock())


async def test_a_long_verdict_is_cut_for_a_webhook(desk: tuple[Desk, str]) -> None:
    found, host = desk

    await notify(settings(host), "x" * 40_000, {}, clock=SystemClock())

    assert found.asked[0][2] == {"text": "x" * 30_000 + "\n…"}


async def test_a_host_that_is_not_on_the_list_is_never_reached(desk: tuple[Desk, str]) -> None:
    found, host = desk

    with pytest.raises(ConfigError, match="127.0.0.1 may not be told; add it to CUTOVER_NIGHTLY__NOTIFY_HOSTS"):
        await notify(settings(host, notify_hosts="example.test"), "**GO**", {}, clock=SystemClock())

    assert found.asked == []


async def test_a_refusal_says_who_refused_and_keeps_the_address_to_itself(desk: tuple[Desk, str]) -> None:
    found, host = desk
    found.status = 403

    with pytest.raises(NotTold, match="127.0.0.1 answered 403") as caught:
        await notify(settings(host), "**GO**", {}, clock=SystemClock())

    assert "a-password" not in str(caught.value)


async def test_a_first_verdict_is_a_new_comment(desk: tuple[Desk, str]) -> None:
    found, host = desk
    found.comments = [{"id": 1, "body": "Looks good."}]

    address = await comment(settings(host), PLACE, f"**GO** {MARK}", mark=MARK, clock=SystemClock())

    assert address == "https://example.test/comment"
    assert [(method, path) for method, path, *_ in found.asked] == [
        ("GET", "/api/repos/our-team/speech/issues/7/comments"),
        ("POST", "/api/repos/our-team/speech/issues/7/comments"),
    ]
    assert {token for *_, token in found.asked} == {f"Bearer {GITHUB_TOKEN}"}


async def test_a_later_verdict_replaces_the_comment_that_holds_the_mark(desk: tuple[Desk, str]) -> None:
    found, host = desk
    found.comments = [{"id": number, "body": "…"} for number in range(150)] + [{"id": 200, "body": f"**GO** {MARK}"}]

    await comment(settings(host), PLACE, f"**NO-GO** {MARK}", mark=MARK, clock=SystemClock())

    assert found.asked[-1][:3] == (
        "PATCH",
        "/api/repos/our-team/speech/issues/comments/200",
        {"body": f"**NO-GO** {MARK}"},
    )


async def test_without_a_token_nothing_is_asked(desk: tuple[Desk, str]) -> None:
    found, host = desk

    with pytest.raises(ConfigError, match="CUTOVER_NIGHTLY__GITHUB_TOKEN is not set"):
        await comment(settings(host, github_token=None), PLACE, "**GO**", mark=MARK, clock=SystemClock())

    assert found.asked == []


def test_a_place_is_read_as_github_writes_it() -> None:
    assert PullRequest.parse("our-team/speech#7") == PLACE


@pytest.mark.parametrize("text", ["speech#7", "our-team/speech", "our-team/../x#7", "our-team/speech#0"])
def test_a_place_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write OWNER/REPOSITORY#NUMBER"):
        PullRequest.parse(text)
