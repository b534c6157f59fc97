"""CPU a request on the client, replies of 100 kB: the whole replay beside plain aiohttp, what keeping costs and locust.

`python -m tests.benchmarks.replay_cpu [REQUESTS] [ROUNDS]` (default 2,000 and 3) starts one server that costs next to
nothing, never gives the same audio twice, and asks it by each client in turn, several times, and prints the medians.
What was written is removed when all is measured (some 3 GB by default): for minutes after files were removed, ext4
looks their inodes over whenever it makes a new file. That cost each client 300 to 500 us a request which no replay
pays, and removing is no client's work either. Each client does what the one above it does, and one thing more:

    aiohttp            on uvloop, and nothing is kept
    + sha256           the name of each answer
    + written          a file for each, under its name; a power cut may lose it
    + kept             … synced, many at a time, by one thread: the least that keeps what was paid for
    whole replay       what a live run does: plan, schedule, quota, budget shared by the day, journal synced before
                       and after every call, provider's client, audio kept

Beside them, asyncio's own loop, and "kept one by one": each answer written and synced by a thread of the pool, as it is
usually done. Goals (performance.md): at most 1.3 times plain aiohttp on uvloop, which the rows in between show to be
out of reach for whoever keeps the answers; so the figure to hold is 1.3 times the usual way to keep them.

locust is no dependency of ours. To see its figure: `python -m venv DIR && DIR/bin/pip install locust==2.47.0`, and set
LOCUST_PYTHON=DIR/bin/python.
"""

import asyncio
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import aiohttp
import uvloop

from harness.clock import SystemClock
from harness.config import PROJECT, ModalSettings, Settings
from harness.exchanges import Lane
from harness.processes import keeping_what_is_loaded
from harness.providers.modal import ModalProvider
from harness.providers.pricing import PriceList
from harness.store.blobs import BlobStore
from harness.store.grouped_blobs import GroupedBlobs
from tests.builders import a_capture, a_request
from tests.live_runs import live_run

CONCURRENCY = 50
GOAL = 1.3
_LOCUST = """
import resource, sys
import gevent
from locust.exception import StopUser
from locust import FastHttpUser, task, constant
from locust.env import Environment
left, port = int(sys.argv[1]), sys.argv[2]

class Caller(FastHttpUser):
    host = "http://127.0.0.1:" + port
    wait_time = constant(0)

    @task
    def speak(self):
        global left
        left -= 1
        if left < 0:
            raise StopUser
        self.client.post("/generate", json={"text": "Good morning."}).content

environment = Environment(user_classes=[Caller])
runner = environment.create_local_runner()
before = resource.getrusage(resource.RUSAGE_SELF)
runner.start(50, spawn_rate=1000)
while runner.user_count or left > 0:
    gevent.sleep(0.05)
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""


Keep = Callable[[bytes], Awaitable[object]]
Client = Callable[[int, int, Path], object]  # port, requests, folder of its own


async def plain(port: int, requests: int, keep: Keep | None = None) -> None:
    """aiohttp as its documents show it; what is asked for is given to `keep`."""
    todo = iter(range(requests))

    async def work(session: aiohttp.ClientSession) -> None:
        for number in todo:
            body = json.dumps({"text": f"Good morning, number {number}."}).encode()
            async with session.post(f"http://127.0.0.1:{port}/generate", data=body) as reply:
                audio = await reply.read()
            if keep is not None:
                await keep(audio)

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(work(session))


async def hashed(port: int, requests: int) -> None:
    """Every answer has its name."""

    async def keep(audio: bytes) -> str:
        return hashlib.sha256(audio).hexdigest()

    await plain(port, requests, keep)


async def written(port: int, requests: int, folder: Path) -> None:
    """… and a file, on which nobody waits."""

    async def keep(audio: bytes) -> None:
        name = hashlib.sha256(audio).hexdigest()
        descriptor = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, audio)
        os.close(descriptor)

    await plain(port, requests, keep)


async def kept(port: int, requests: int, folder: Path) -> None:
    """… which is on disk, those of many requests synced together."""
    blobs = GroupedBlobs(BlobStore(folder))
    await plain(port, requests, lambda audio: blobs.put(audio, "wav"))


async def kept_one_by_one(port: int, requests: int, folder: Path) -> None:
    """… each by a thread of the pool."""
    loop = asyncio.get_running_loop()
    blobs = BlobStore(folder)
    await plain(port, requests, lambda audio: loop.run_in_executor(None, blobs.put, audio, "wav"))


async def whole_replay(port: int, requests: int, folder: Path) -> None:
    """Both lanes lead to the server, so a capture is two requests."""
    captures = (a_capture(f"c{n}", request=a_request(f"Good morning, number {n}.")) for n in range(requests // 2))
    clock, address = SystemClock(), f"127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        lanes = {
            lane: await stack.enter_async_context(
                ModalProvider(
                    ModalSettings(base_url=f"http://{address}"),
                    prices=PriceList.load(Settings().prices),
                    references=BlobStore(folder),
                    allow_hosts=[address],
                    clock=clock,
                )
            )
            for lane in (Lane.CONTROL, Lane.CANDIDATE)
        }
        ledger = await live_run(folder, captures, lanes, clock=clock, concurrency=CONCURRENCY // 2)
    outcomes = ledger.outcomes()
    assert {lane: dict(counts) for lane, counts in outcomes.items()} == {
        lane: {"ok": requests // 2} for lane in ("control", "candidate")
    }, outcomes


def requests_a_core(port: int, requests: int, client: Client, home: Path) -> float:
    """CPU microseconds a request of this process, threads included."""
    folder = Path(tempfile.mkdtemp(dir=home))
    before = resource.getrusage(resource.RUSAGE_SELF)
    client(port, requests, folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / requests * 1e6


def locust(port: int, requests: int) -> float | None:
    """CPU microseconds a request of locust's FastHttpUser, its start subtracted; None when it is not installed."""
    python = os.environ.get("LOCUST_PYTHON", sys.executable)
    command = [python, "-c", _LOCUST, str(requests), str(port)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return float(found.stdout.split()[-1]) / requests * 1e6 if found.returncode == 0 and found.stdout else None


@contextmanager
def server() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.benchmarks.raw_server"]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


CLIENTS: dict[str, Client] = {
    "aiohttp": lambda port, count, _: uvloop.run(plain(port, count)),
    "+ sha256": lambda port, count, _: uvloop.run(hashed(port, count)),
    "+ written": lambda port, count, folder: uvloop.run(written(port, count, folder)),
    "+ kept": lambda port, count, folder: uvloop.run(kept(port, count, folder)),
    "whole replay": lambda port, count, folder: uvloop.run(whole_replay(port, count, folder)),
    "kept one by one": lambda port, count, folder: uvloop.run(kept_one_by_one(port, count, folder)),
    "aiohttp, asyncio": lambda port, count, _: asyncio.run(plain(port, count)),
}


def main() -> int:
    requests, rounds = (int(value) for value in (*sys.argv[1:], *("2000", "3")[len(sys.argv) - 1 :]))
    found: dict[str, list[float]] = {name: [] for name in (*CLIENTS, "locust FastHttpUser")}
    with tempfile.TemporaryDirectory() as home, server() as port:
        for client in CLIENTS.values():
            requests_a_core(port, 100, client, Path(home))  # imports and caches are no request's
        with keeping_what_is_loaded():  # as `cutover replay` does before it sends
            for _ in range(rounds):
                for name, client in CLIENTS.items():
                    found[name].append(requests_a_core(port, requests, client, Path(home)))
                by_locust = locust(port, requests)
                if by_locust is not None:
                    found["locust FastHttpUser"].append(by_locust)
    middle = {name: statistics.median(figures) for name, figures in found.items() if figures}
    print(f"{requests} requests, replies of 100 kB, {CONCURRENCY} at once, median of {rounds}")
    for name in found:
        if name in middle:
            ratio = middle[name] / middle["aiohttp"]
            print(f"{name:20} {middle[name]:8.1f} us CPU a request, {ratio:5.2f} times aiohttp")
        else:
            print(f"{name:20} not installed: see the top of tests/benchmarks/replay_cpu.py")
    ours = middle["whole replay"]
    print(f"the replay's own share, beyond asking and keeping: {ours - middle['+ kept']:.1f} us a request")
    for peer in ("aiohttp", "+ kept", "kept one by one"):
        ratio = ours / middle[peer]
        print(f"replay is {ratio:.2f} times {peer!r}: goal of at most {GOAL:g} {'kept' if ratio <= GOAL else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
