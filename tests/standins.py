"""Both stand-in providers as processes of their own, as a person starts them, for tests of whole commands."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.canaries import QWEN_KEY

__all__ = ["cutover", "meter", "running_standins"]


@contextmanager
def running_standins(home: Path, *options: str) -> Iterator[dict[str, str]]:
    """Start both; yields the environment in which `cutover` finds them and keeps all it makes under `home`."""
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(_running(name, home, options)) for name in ("qwen", "modal")}
        urls = [url for found in addresses.values() for url in found.values() if url]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CUTOVER_")}
        yield {
            **clean,
            "CUTOVER_HOME": str(home),
            "CUTOVER_ALLOW_HOSTS": ",".join(url.removeprefix("http://") for url in urls),
            "CUTOVER_QWEN__BASE_URL": addresses["qwen"]["base_url"],
            "CUTOVER_QWEN__API_KEY": QWEN_KEY,
            "CUTOVER_QWEN__ALLOW_VOICE_CREATION": "1",
            "CUTOVER_QWEN__QUOTA__PER_MINUTE": "100000",
            "CUTOVER_QWEN__QUOTA__PER_SECOND": "1000",
            "CUTOVER_QWEN__QUOTA__SHARE": "1",
            "CUTOVER_QWEN__QUOTA__RAMP_S": "0",
            "CUTOVER_MODAL__BASE_URL": addresses["modal"]["base_url"],
            "CUTOVER_MODAL__QUOTA__PER_MINUTE": "100000",
            "CUTOVER_MODAL__QUOTA__PER_SECOND": "1000",
        }


@contextmanager
def _running(name: str, home: Path, options: tuple[str, ...]) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "harness.cli", "emulate", name, "--port", "0", "--json", "--until-stdin-closes"]
    account = ["--account", str(home / f"{name}-account.jsonl")]
    process = subprocess.Popen([*command, *account, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def cutover(arguments: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *arguments], env=environment, capture_output=True, text=True, timeout=120
    )


def meter(environment: dict[str, str], provider: str) -> dict[str, Any]:
    """What a stand-in says it did and billed."""
    with urlopen(environment[f"CUTOVER_{provider.upper()}__BASE_URL"] + "/_standin/meter") as reply:
        found: dict[str, Any] = json.load(reply)
        return found
