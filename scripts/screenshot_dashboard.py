"""Open the dashboard on a run in real Chromium and save what a reader sees.

docs/dashboard.png is the verdict of the latest run; `--all` saves every page beside it, `--page rollout` one of them
as it is in the home that CUTOVER_HOME names. `python -m scripts.screenshot_dashboard --page rollout --staged` first
plays some minutes of a gateway between stand-ins and shows that. The browser is the system's: the environment variable
CHROMIUM names it, else `chromium` on the path. A page that shows an exception fails.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

PROJECT = Path(__file__).resolve().parents[1]
PAGES = {  # file name → address of the page, and words that stand on it once it is drawn
    "dashboard.png": ("/", "What was counted"),
    "dashboard-latency.png": ("/latency", "By length of text"),
    "dashboard-failures.png": ("/failures", "What failed?"),
    "dashboard-pairs.png": ("/pairs", "How they differ"),
    "rollout.png": ("/rollout", "Where is the rollout?"),
}
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--all", action="store_true", help="every page, not only the verdict")
    options.add_argument("--page", choices=[address.strip("/") for address, _ in PAGES.values() if address != "/"])
    options.add_argument("--staged", action="store_true", help="play a rollout first, and show that home")
    options.add_argument("--dark", action="store_true", help="the dark theme; names end in -dark")
    options.add_argument("--full", action="store_true", help="whole pages, not only the first screen")
    options.add_argument("--run", default="latest", help="the run to show")
    options.add_argument("--out", type=Path, default=PROJECT / "docs", help="folder of the pictures")
    options.add_argument("--width", type=int, default=1280)
    options.add_argument("--height", type=int, default=800)
    chosen = options.parse_args()
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not browser:
        sys.exit("no Chromium here: install Debian's `chromium`, or name one in the variable CHROMIUM")
    chosen.out.mkdir(parents=True, exist_ok=True)
    address = f"/{chosen.page or ''}"
    pages = {name: page for name, page in PAGES.items() if chosen.all or page[0] == address}
    with ExitStack() as stack:
        environment: Mapping[str, str] = os.environ
        if chosen.staged:
            from scripts.staged_rollout import staged_rollout  # only here, so that the rest runs as a file as well

            environment = stack.enter_context(staged_rollout())
        url = stack.enter_context(served(environment))
        playwright = stack.enter_context(sync_playwright())
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        theme = "dark" if chosen.dark else "light"
        size = {"width": chosen.width, "height": chosen.height}
        page = chromium.new_page(viewport=size, color_scheme=theme)
        for name, (address, words) in pages.items():
            file = chosen.out / (name.replace(".png", "-dark.png") if chosen.dark else name)
            query = "" if chosen.run == "latest" else f"?run={chosen.run}"
            save(page, f"{url}{address}{query}", words, file, size=size, full=chosen.full)
            print(file)
        chromium.close()


def save(page: Page, address: str, words: str, file: Path, *, size: dict[str, int], full: bool) -> None:
    """Wait until the page is drawn to its last heading and nothing moves any more, then take it."""
    page.set_viewport_size(size)
    page.goto(address)
    expect(page.get_by_text(words).first).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    page.wait_for_timeout(1_500)  # charts and tables are drawn after the words
    if full:  # Streamlit scrolls inside the page, so the window has to be as tall as what it holds
        tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": size["width"], "height": max(size["height"], int(tall))})
        page.wait_for_timeout(1_500)
    page.screenshot(path=file)


@contextmanager
def served(environment: Mapping[str, str]) -> Iterator[str]:
    """The dashboard as a user starts it, on a free port; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "harness.cli", "dashboard", "--headless", "--port", str(port)]
    with subprocess.Popen(command, cwd=PROJECT, env=dict(environment), stdout=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().strip()
            if not url:
                sys.exit("the dashboard did not start (see above)")
            yield url
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
