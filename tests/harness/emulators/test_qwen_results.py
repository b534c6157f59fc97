import re
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from harness.clock import FakeClock
from harness.emulators import qwen_results
from harness.emulators.account import Account
from harness.emulators.qwen_results import Results
from harness.emulators.sites import application, site
from tests.harness.emulators.callers import Answer, Caller


async def fetched(session: aiohttp.ClientSession, results: Results, url: str) -> Answer:
    app = application(Account(None), results.routes(), layers=[], max_body_bytes=1_024)
    async with site(app, port=0, option="--port") as base_url:
        return await Caller(session, base_url).get(url, headers={})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def results(clock: FakeClock) -> Results:
    return Results(lifetime_s=86_400, clock=clock)


async def test_an_address_gives_the_bytes_as_often_as_one_asks(
    session: aiohttp.ClientSession, results: Results
) -> None:
    url = results.put(b"RIFF").url

    answers = [await fetched(session, results, url) for _ in range(2)]

    assert [(answer.status, answer.body, answer.headers["Content-Type"]) for answer in answers] == [
        (200, b"RIFF", "audio/wav")
    ] * 2


def test_an_address_ends_after_a_day_and_says_so_in_its_query(results: Results, clock: FakeClock) -> None:
    url, expires_at = results.put(b"RIFF")

    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert expires_at == int(clock.now().timestamp()) + 86_400
    assert query["Expires"] == [str(expires_at)]
    assert set(query) == {"Expires", "OSSAccessKeyId", "Signature"}


async def test_after_a_day_it_is_403_in_xml(session: aiohttp.ClientSession, results: Results, clock: FakeClock) -> None:
    url = results.put(b"RIFF").url
    clock.advance(86_400)

    answer = await fetched(session, results, url)

    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/xml; charset=utf-8")
    assert b"<Code>AccessDenied</Code>" in answer.body
    assert b"<Message>Request has expired.</Message>" in answer.body


@pytest.mark.parametrize(
    ("pattern", "replacement", "status", "code"),
    [
        pytest.param("Signature=.", "Signature=_", 403, "SignatureDoesNotMatch", id="another signature"),
        pytest.param("Signature=.*", "Signature=%C3%A9", 403, "AccessDenied", id="a signature that is no ASCII"),
        pytest.param("Expires=1", "Expires=2", 403, "SignatureDoesNotMatch", id="a later end"),
        pytest.param("Expires=.*?&", "Expires=never&", 403, "AccessDenied", id="no end"),
        pytest.param(r"\?.*", "", 403, "AccessDenied", id="no query"),
        pytest.param(r"\.wav", ".mp3", 403, "SignatureDoesNotMatch", id="another object"),
    ],
)
async def test_an_address_that_was_tampered_with_is_refused(
    session: aiohttp.ClientSession, results: Results, pattern: str, replacement: str, status: int, code: str
) -> None:
    url = re.sub(pattern, replacement, results.put(b"RIFF").url, count=1)

    answer = await fetched(session, results, url)

    assert (answer.status, re.findall(rb"<Code>(.*)</Code>", answer.body)) == (status, [code.encode()])


async def test_the_oldest_results_give_way(
    session: aiohttp.ClientSession, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qwen_results, "_CAPACITY_BYTES", 10)
    first, second = results.put(b"x" * 8).url, results.put(b"y" * 8).url

    answers = [await fetched(session, results, url) for url in (first, second)]

    assert [answer.status for answer in answers] == [404, 200]
    assert b"<Code>NoSuchKey</Code>" in answers[0].body
