"""The frame without a browser, and the whole dashboard in a real one."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from streamlit.config import get_option, set_option
from streamlit.testing.v1 import AppTest

from tests.dashboard.a_run import HOSTILE_TEXT, a_run
from tests.dashboard.conftest import APP, PATIENCE_S, words

PAGES = {  # path → words of the heading
    "/": "cut over",
    "/latency": "fast",
    "/failures": "failed",
    "/pairs": "differs",
    "/rollout": "Where is the rollout?",
}


@pytest.fixture
def frame(monkeypatch: pytest.MonkeyPatch, one_run: Path) -> Iterator[AppTest]:
    """The app, told by Streamlit what `cutover dashboard` tells it."""
    monkeypatch.setenv("CUTOVER_HOME", str(one_run))
    before = get_option("server.address")
    set_option("server.address", "127.0.0.1")
    yield AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    set_option("server.address", before)


def test_the_first_page_is_the_verdict(frame: AppTest) -> None:
    frame.run()

    assert not frame.exception
    assert frame.title[0].value == "May we cut over?"
    assert "NO-GO" in frame.title[1].value


@pytest.mark.parametrize("address", ["0.0.0.0", None], ids=str)
def test_nothing_is_shown_where_strangers_could_look(frame: AppTest, address: str | None) -> None:
    set_option("server.address", address)

    frame.run()

    assert [code.value for code in frame.code] == ["cutover dashboard"]
    assert not frame.title
    assert not frame.dataframe


def test_what_two_sessions_would_import_while_they_draw_is_there_before() -> None:
    code = "import sys, dashboard.app; print(*sorted({'numpy', 'pandas', 'pyarrow'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(APP.parents[1])}

    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["numpy", "pandas", "pyarrow"]


def test_a_damaged_run_is_told_in_a_sentence(frame: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = a_run(tmp_path, captures=1)
    run.database.unlink()
    run.database.write_bytes(b"no database at all" * 1000)
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))

    frame.run()

    assert not frame.exception
    assert "cutover runs seal" in words(frame)


# From here on in a real browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        reason = "no Chromium here: install Debian's `chromium`, or name one in the variable CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard as a user starts it, on a run whose captured text tries to be markup."""
    home = tmp_path_factory.mktemp("browsed")
    a_run(home, captures=12, text=HOSTILE_TEXT)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(APP.parents[1]), "CUTOVER_HOME": str(home)}
    command = [sys.executable, "-m", "harness.cli", "dashboard", "--headless", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip() if server.stdout else ""
        finally:
            server.terminate()
            server.wait(15)


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE_S * 1e3)
    expect.set_options(timeout=PATIENCE_S * 1e3)
    yield page
    page.close()


def _open(page: Page, address: str, heading: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", name=heading).first).to_be_visible()


@pytest.mark.browser
def test_the_verdict_is_in_the_first_screen(page: Page) -> None:
    _open(page, "/", "May we cut over?")

    verdict = page.get_by_role("heading", name="NO-GO")
    expect(verdict).to_be_in_viewport()
    expect(page.get_by_text("3.1 points more of the candidate's requests failed").first).to_be_in_viewport()
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_in_viewport()


@pytest.mark.browser
def test_no_page_shows_an_exception_or_asks_anything_of_another_machine(page: Page) -> None:
    asked: set[str | None] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))

    for address, heading in PAGES.items():
        _open(page, address, heading)
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        # The words of an exception, so that a failure here says what happened.
        expect(page.get_by_test_id("stException")).to_have_text([])

    assert asked == {"127.0.0.1"}


_PLAY = """
async (sound) => {
    sound.muted = true;
    await sound.play();
    await new Promise((done) => sound.addEventListener("timeupdate", () => sound.currentTime > 0.1 && done()));
    return {state: sound.readyState, at: sound.currentTime, length: sound.duration};
}
"""


@pytest.mark.browser
def test_both_sides_of_a_pair_play(page: Page) -> None:
    _open(page, "/pairs?pair=clone-0001%2F0", "What differs?")
    sounds = page.get_by_test_id("stAudio")
    expect(sounds).to_have_count(2)

    for side in range(2):
        played = sounds.nth(side).evaluate(_PLAY)

        assert played["state"] >= 2
        assert played["at"] > 0.1
        assert played["length"] == pytest.approx(1.2, abs=0.05)


@pytest.mark.browser
def test_filters_live_in_the_address_and_follow_to_other_pages(page: Page) -> None:
    _open(page, "/latency", "How fast are they?")

    page.get_by_test_id("stButtonGroup").first.get_by_text("clone", exact=True).click()
    expect(page).to_have_url(re.compile("operation=clone"))
    page.reload()

    expect(page.get_by_role("heading", name="clone", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="design", exact=True)).to_have_count(0)


@pytest.mark.browser
def test_captured_text_is_shown_letter_by_letter(page: Page) -> None:
    _open(page, "/pairs?pair=clone-0001%2F0", "What differs?")

    expect(page.get_by_text(HOSTILE_TEXT).first).to_be_visible()
    assert page.locator("img[src*='evil']").count() == 0
