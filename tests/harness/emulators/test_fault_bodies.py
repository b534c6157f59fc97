import gzip
import json
from typing import Any

import aiohttp
import pytest

from harness.emulators.server import running_qwen
from tests.harness.emulators.callers import Answer, Caller


async def spoken_under(session: aiohttp.ClientSession, **entry: Any) -> tuple[Answer, dict[str, Any]]:
    """The reply to a synthesis, and what it cost."""
    async with running_qwen() as standin:
        standin.script.load({"faults": [entry]})
        answer = await Caller(session, standin.base_url).speak()
        return answer, standin.account.meter()["total"]


@pytest.mark.parametrize(
    ("entry", "path", "value"),
    [
        (
            {"fault": "other-url", "url": "http://169.254.169.254/"},
            ("output", "audio", "url"),
            "http://169.254.169.254/",
        ),
        ({"fault": "other-url"}, ("output", "audio", "url"), None),
        ({"fault": "inline-audio"}, ("output", "audio", "data"), "this is no base64!"),
        ({"fault": "expired"}, ("output", "audio", "expires_at"), 1),
        ({"fault": "other-request-id", "request_id": "r-2"}, ("request_id",), "r-2"),
        ({"fault": "other-usage", "characters": "12"}, ("usage", "characters"), "12"),
        ({"fault": "documented-form"}, ("status_code",), 200),
        ({"fault": "documented-form"}, ("output", "choices"), None),
        ({"fault": "json-error", "code": "Arrearage"}, ("code",), "Arrearage"),
    ],
)
async def test_a_reply_says_what_it_was_told_to_and_is_billed(
    session: aiohttp.ClientSession, entry: dict[str, Any], path: tuple[str, ...], value: object
) -> None:
    answer, total = await spoken_under(session, **entry)

    found = answer.json
    for name in path:
        found = found[name]
    assert (answer.status, found) == (200, value)
    assert total == {"characters": 13}


async def test_a_reply_may_have_no_address(session: aiohttp.ClientSession) -> None:
    answer, _ = await spoken_under(session, fault="no-url")

    assert "url" not in answer.json["output"]["audio"]


async def test_a_reply_may_be_half_a_document_or_far_too_deep(session: aiohttp.ClientSession) -> None:
    broken, _ = await spoken_under(session, fault="json-broken")
    deep, _ = await spoken_under(session, fault="json-deep")

    for answer in (broken, deep):
        assert answer.status == 200
        with pytest.raises((json.JSONDecodeError, RecursionError)):
            json.loads(answer.body)


@pytest.mark.parametrize("content_type", ["text/html", "audio/wav"])
async def test_a_page_may_call_itself_anything(session: aiohttp.ClientSession, content_type: str) -> None:
    answer, _ = await spoken_under(session, fault="html", content_type=content_type)

    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, content_type)
    assert answer.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_where_it_was_told(session: aiohttp.ClientSession, status: int) -> None:
    answer, _ = await spoken_under(session, fault="redirect", status=status, location="http://localhost:1/")

    assert (answer.status, answer.headers["Location"]) == (status, "http://localhost:1/")


async def test_a_bomb_is_small_on_the_wire(wav: bytes) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as raw:
        answer, _ = await spoken_under(raw, fault="gzip-bomb", megabytes=4)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 8_192
    assert len(gzip.decompress(answer.body)) == 4 << 20
