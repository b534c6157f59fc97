"""Qwen gone for a minute, and cut off by the kill switch, both under load.

`python -m tests.benchmarks.outage [SECONDS] [RATE]`, default 60 s at 200 requests/s. `cutover serve --workers 2` gives
everybody Qwen. First the stand-in's process is killed while callers ask: nobody may fail (reliability.md 7). Then, with
Qwen up, the switch is thrown: by the clock of the stand-in at most one more request for each worker may arrive, and
none later than 10 ms after it (verdicts.md 3).
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import uvloop
from aiohttp import web

from harness.clock import SystemClock
from harness.emulators.account import Account
from harness.emulators.faulty import qwen_script
from harness.emulators.options import QwenOptions
from harness.emulators.qwen import qwen_application
from harness.emulators.qwen_results import Results
from harness.emulators.sites import application, site
from harness.emulators.studio import Studio
from harness.rollout.places import kill_file
from tests.benchmarks.gateway import FREE, PLENTY, Subject, asked, child, first_line, in_role
from tests.canaries import QWEN_KEY
from tests.gateways import begin_rollout, flags_text

SECONDS, RATE_HZ = 60.0, 200.0
WORKERS = 2
KILL_SECONDS, KILL_RATE_HZ, KILL_AFTER_S = 4.0, 40.0, 2.5  # the stand-in speaks really, which costs CPU
GRACE_S = 0.010
MODEL_S = 0.1  # the stand-in's time scale

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def standin() -> None:
    """The stand-in for Qwen; prints its addresses, and when each request for speech arrived once stdin ends."""
    arrived_s: list[float] = []

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/generation"):
            arrived_s.append(time.monotonic())  # one clock for all processes of a machine
        return await handler(request)

    clock, options = SystemClock(), QwenOptions(requests_per_minute=1e9, time_scale=MODEL_S)
    async with AsyncExitStack() as stack:
        account = stack.enter_context(closing(Account(None)))
        studio = await stack.enter_async_context(Studio())
        results, script = Results(lifetime_s=options.url_lifetime_s, clock=clock), qwen_script()
        app = qwen_application(options, account=account, studio=studio, results=results, script=script, clock=clock)
        app.middlewares.insert(0, note)
        audio = application(account, results.routes(), layers=[results.faulty(script)], max_body_bytes=1 << 10)
        results.base_url = await stack.enter_async_context(site(audio, port=0, option="--audio-port"))
        base_url = await stack.enter_async_context(site(app, port=0, option="--port"))
        print(json.dumps({"base_url": base_url, "audio_url": results.base_url}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(arrived_s), flush=True)


@contextmanager
def the_gateway(qwen: dict[str, str], modal: str, folder: Path) -> Iterator[Subject]:
    """Everybody gets Qwen, and nobody is limited."""
    home = folder / "home"
    hosts = [url.removeprefix("http://") for url in (*qwen.values(), modal)]
    environment = {
        "CUTOVER_HOME": str(home),
        "CUTOVER_ALLOW_HOSTS": ",".join(hosts),
        "CUTOVER_QWEN__BASE_URL": qwen["base_url"],
        "CUTOVER_QWEN__API_KEY": QWEN_KEY,
        "CUTOVER_MODAL__BASE_URL": modal,
        "CUTOVER_FLAGS__FILE": str(folder / "flags.toml"),
        "CUTOVER_GATEWAY__DRAIN_S": "2",
        **{f"CUTOVER_GATEWAY__LIMITS__{name}": value for name, value in PLENTY.items()},
        **{f"CUTOVER_{name}__QUOTA__{key}": value for name in ("QWEN", "MODAL") for key, value in FREE.items()},
    }
    (folder / "flags.toml").write_text(flags_text(generate="qwen"))
    asyncio.run(begin_rollout(home))
    with child("-m", "harness.cli", "callers", "add", "load", environment=environment) as adding:
        key = first_line(adding)
    command = ("-m", "harness.cli", "serve", "--workers", str(WORKERS), "--port", "0", "--admin-port", "0", "--json")
    with child(*command, environment=environment, log=folder / "gateway.log") as process:
        line = first_line(process)
        if not line:
            sys.exit(f"the gateway did not start: {(folder / 'gateway.log').read_text()[-2_000:]}")
        yield Subject(name="gateway", url=json.loads(line)["base_url"], key=key, process=process)


@contextmanager
def stage() -> Iterator[tuple[Subject, "subprocess.Popen[str]", Path]]:
    """The gateway between a stand-in for Qwen and a cheap legacy; also the stand-in's process, and home."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        qwen = stack.enter_context(child("-m", "tests.benchmarks.outage", "standin"))
        modal = first_line(stack.enter_context(child(*in_role("provider"))))
        found = json.loads(first_line(qwen))
        subject = stack.enter_context(the_gateway(found, modal, folder))
        yield subject, qwen, folder / "home"


def outage(seconds: float, rate_hz: float) -> None:
    with stage() as (subject, qwen, _):
        warm = asked(subject, KILL_RATE_HZ, 1.0)
        qwen.kill()
        qwen.wait()
        took_s = asked(subject, rate_hz, seconds)
    failed, answered = took_s.count(None), [each for each in took_s if each is not None]
    p50, p99 = np.percentile(answered, [50, 99]) if answered else (float("nan"),) * 2
    print(
        f"outage of {seconds:g} s at {rate_hz:g}/s: {len(took_s)} callers, {failed} failed, "
        f"answered after p50 {p50:.3f} s, p99 {p99:.3f} s; before it {warm.count(None)} of {len(warm)} failed  "
        f"{'goal met' if not failed else 'goal missed'}",
        flush=True,
    )


def kill() -> None:
    with stage() as (subject, qwen, home):
        asked(subject, KILL_RATE_HZ, 1.0)
        thrown_s: list[float] = []

        def throw() -> None:
            kill_file(home).touch()
            thrown_s.append(time.monotonic())

        # The load generator is a process that takes a moment to start; the switch falls well within its load.
        timer = threading.Timer(KILL_AFTER_S, throw)
        timer.start()
        took_s = asked(subject, KILL_RATE_HZ, KILL_SECONDS)
        timer.join()
        output, _ = qwen.communicate("")
    arrived_s = [each - thrown_s[0] for each in json.loads(output.splitlines()[-1])]
    before, late = sum(-1.0 < each <= 0.0 for each in arrived_s), sum(each > GRACE_S for each in arrived_s)
    after = sum(each > 0.0 for each in arrived_s) - late
    is_met = before and after <= WORKERS and not late and None not in took_s
    print(
        f"kill switch, {WORKERS} workers at {KILL_RATE_HZ:g}/s: {before} requests reach Qwen in the second before, "
        f"{after} in the {GRACE_S * 1e3:g} ms after, {late} later; "
        f"{took_s.count(None)} of {len(took_s)} callers failed  {'goal met' if is_met else 'goal missed'}"
    )


def main(seconds: float = SECONDS, rate_hz: float = RATE_HZ) -> None:
    outage(seconds, rate_hz)
    kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["standin"]:
        uvloop.run(standin())
    else:
        main(*map(float, sys.argv[1:]))
