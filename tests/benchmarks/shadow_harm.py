"""What copies cost the caller: p99 without a shadow beside a healthy, hanging, flooded and crashing one, and nginx'.

    python -m tests.benchmarks.shadow_harm                 ten minutes: some 75 rounds
    python -m tests.benchmarks.shadow_harm --seconds 3600  the longer and the quieter, the finer it tells

One server answers with 100 kB and then offers a copy (shadow_server.py). Load maker, server, the shadows that carry
copies out, nginx and the backend of its copies are processes of their own. Callers come one in each slot of time, at
random in its first part, so that none waits for another, and a request is timed from the moment it is sent: the load
maker's own lateness is nobody's harm. No provider is waited for, and the load maker collects no garbage: what is
the same everywhere only adds noise.

As many copies are taken as by default, one in two seconds; a flood is of twenty for each request.

The arms take turns of a second, in a new order each round, so that whatever else this machine does falls on all of
them. An arm's p99 is that of all its blocks; how far it lies from the baseline's is told with a 95 % interval by
bootstrap over rounds, which keeps the blocks of one round together. `no shadow, again` is the baseline once more: its
interval is what the run can tell at all, and nothing is said of a smaller harm, nor of 0.1 ms unless it tells that. All
other arms are compared with both of them together.

nginx stands before the same server with `mirror` to a backend that does what ours does; its baseline is nginx without,
and since its harm is coarser it takes part in one of four rounds.

Below the table: what a caller's own task spends on offering a copy; how long the server waited for a processor that
somebody else had, as Linux counts it, shadow by shadow; and by processor time, which no other program disturbs, what
else a copy takes of the loop and how long a caller waits for that (copy_cost.py). These three are all the ways in which
a copy can hold up a caller.
"""

import argparse
import asyncio
import contextlib
import gc
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import numpy as np
import uvloop

from tests.benchmarks.copy_cost import cost_of_copies
from tests.benchmarks.gateway import child, first_line
from tests.benchmarks.shadow_server import FLOOD, NONE, SHADOWS

RATE_HZ: Final = 200.0
TAKEN: Final = 0.5  # of a slot: who comes late in one still has 2.5 ms to themselves
BLOCK_S: Final = 0.9
REST_S: Final = 0.1  # … of each turn: what the block before left behind comes to rest
SECONDS: Final = 600.0
FEWEST_ROUNDS: Final = 30  # an interval by bootstrap over fewer is too narrow
GOAL_MS: Final = 0.1
PATIENCE_S: Final = 1.0  # of a caller: who hears nothing for so long counts with it
RESAMPLES: Final = 1_000
BASELINE, AGAIN = "no shadow", "no shadow, again"
NGINX_BASELINE, NGINX_AGAIN = "nginx, no mirror", "nginx, again"
NGINX_EVERY: Final = 4  # rounds
AGAINS: Final = {BASELINE: AGAIN, NGINX_BASELINE: NGINX_AGAIN}

# `mirror` may be repeated; a copy goes to an inner location of its own.
_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    upstream app {{ server 127.0.0.1:{port}; keepalive 64; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    server {{
        listen 127.0.0.1:{listen};
        {locations}
    }}
}}
"""


class Arm(NamedTuple):
    """One way to be answered."""

    url: str
    baseline: str  # the arm it is compared with
    shadow: str = NONE  # what our own server does with its copies


class Difference(NamedTuple):
    """Of two arms' p99, in milliseconds: estimate and 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def resolution(self) -> float:
        """What this run can tell at all, when both arms are the same."""
        return max(abs(self.low), abs(self.high))

    def verdict(self, resolution: float, rounds: int) -> str:
        """What may be said of harm, where a difference of `resolution` comes by chance."""
        if rounds < FEWEST_ROUNDS:
            return f"says nothing below {FEWEST_ROUNDS} rounds"
        if self.low > max(GOAL_MS, resolution):
            return "HARM"
        return f"at most {GOAL_MS:g} ms" if max(self.high, resolution) <= GOAL_MS else "not told apart"


Rounds = Sequence[Sequence[float]]  # seconds, by round


def p99_ms(rounds: Rounds, chosen: Sequence[int]) -> float:
    """Of all requests in the chosen rounds."""
    return float(np.percentile(np.concatenate([rounds[index] for index in chosen]), 99)) * 1e3


def difference(arm: Rounds, baseline: Rounds, rng: np.random.Generator) -> Difference:
    """How much later an arm's p99 is than its baseline's; rounds are drawn anew, both arms' blocks together."""
    count = len(arm)
    drawn = (rng.integers(count, size=count) for _ in range(RESAMPLES))
    over = [p99_ms(arm, chosen) - p99_ms(baseline, chosen) for chosen in drawn]
    low, high = np.percentile(over, [2.5, 97.5])
    return Difference(p99_ms(arm, range(count)) - p99_ms(baseline, range(count)), float(low), float(high))


def a_session(patience_s: float | None) -> aiohttp.ClientSession:
    patience = aiohttp.ClientTimeout(total=patience_s)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=patience)


async def block(session: aiohttp.ClientSession, url: str, due_s: Sequence[float]) -> list[float]:
    """Seconds that each request of an open loop took, from when it was sent."""
    took_s: list[float] = []

    async def ask(wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        began_s = time.perf_counter()
        with contextlib.suppress(TimeoutError):
            async with session.get(url) as reply:
                await reply.read()
                assert reply.status == 200
        took_s.append(time.perf_counter() - began_s)

    async with asyncio.TaskGroup() as group:
        for wait_s in due_s:
            group.create_task(ask(wait_s))
    return took_s


@contextlib.contextmanager
def a_server() -> Iterator[str]:
    with child("-m", "tests.benchmarks.shadow_server") as process:
        yield f"http://127.0.0.1:{first_line(process)}"


@contextlib.contextmanager
def nginx(program: str, app: str, backend: str, folder: Path) -> Iterator[str]:
    """nginx before `app`, copying to `backend`."""
    blocks = ["location = /no-mirror { proxy_pass http://app/; }"]
    for name in SHADOWS:
        mirrors = f"mirror /copy-{name};" * (FLOOD if name == "floods" else 1)
        blocks.append(f"location = /{name} {{ {mirrors} proxy_pass http://app/; }}")
        blocks.append(f"location = /copy-{name} {{ internal; proxy_pass {backend}/copied/{name}; }}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]  # free again once the block ends
    port = app.rpartition(":")[2]
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, listen=listen, locations="\n".join(blocks)))
    with child(program, "-c", str(config), "-p", str(folder)):
        yield f"http://127.0.0.1:{listen}"


def all_arms(stack: ExitStack, app: str, folder: Path) -> dict[str, Arm]:
    """Ours, and nginx' where it is installed."""
    arms = {BASELINE: Arm(f"{app}/", BASELINE), AGAIN: Arm(f"{app}/", BASELINE)}
    arms |= {name: Arm(f"{app}/", BASELINE, shadow=name) for name in SHADOWS}
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        print("nginx is not installed here: its mirror could not be put beside it")
        return arms
    front = stack.enter_context(nginx(program, app, stack.enter_context(a_server()), folder))
    arms |= {name: Arm(f"{front}/no-mirror", NGINX_BASELINE) for name in (NGINX_BASELINE, NGINX_AGAIN)}
    return arms | {f"nginx, {name}": Arm(f"{front}/{name}", NGINX_BASELINE) for name in SHADOWS}


async def measured(app: str, arms: Mapping[str, Arm], seconds: float) -> tuple[dict[str, Rounds], dict[str, Any]]:
    """Seconds by arm and round, and what the server says of itself."""
    found: dict[str, list[list[float]]] = {name: [] for name in arms}
    async with AsyncExitStack() as stack:
        # Each arm has connections of its own, since nginx keeps one waiting until the copies of its request are done.
        sessions = {name: await stack.enter_async_context(a_session(PATIENCE_S)) for name in arms}
        control = await stack.enter_async_context(a_session(None))
        ends_s = time.monotonic() + seconds
        turn = -NGINX_EVERY  # the first one opens connections and is not counted
        while turn < 1 or time.monotonic() < ends_s:
            order = random.Random(turn)
            slots = range(int(RATE_HZ * BLOCK_S))
            due_s = [(slot + order.uniform(0.0, TAKEN)) / RATE_HZ for slot in slots]  # the same for every arm
            taking_part = [name for name in arms if turn % NGINX_EVERY == 0 or arms[name].baseline == BASELINE]
            for name in order.sample(taking_part, len(taking_part)):
                async with control.post(f"{app}/shadow/{arms[name].shadow}", params={"arm": name}) as reply:
                    assert reply.status == 200
                await asyncio.sleep(REST_S)
                took_s = await block(sessions[name], arms[name].url, due_s)
                found[name] += [took_s] if turn >= 0 else []
            turn = max(turn + 1, 0)
        async with control.get(f"{app}/told") as reply:
            told: dict[str, Any] = await reply.json()
    return dict(found), told


def told(arms: Mapping[str, Arm], found: Mapping[str, Rounds]) -> Iterator[str]:
    """The table."""
    rng = np.random.default_rng(0)
    tells = {name: difference(found[again], found[name], rng) for name, again in AGAINS.items() if name in found}
    for name, rounds in found.items():
        p50, p99 = np.percentile(np.concatenate(list(rounds)), [50, 99]) * 1e3
        row = f"{name:18} p50 {p50:6.2f} ms   p99 {p99:7.2f} ms"
        baseline = arms[name].baseline
        if name == baseline:
            yield row
            continue
        told, again = tells[baseline], AGAINS[baseline]
        both = [[*one, *other] for one, other in zip(found[baseline], found[again], strict=True)]
        over = told if name == again else difference(rounds, both, rng)
        said = f"tells {told.resolution:.2f} ms" if name == again else over.verdict(told.resolution, len(rounds))
        yield f"{row}   p99 {over.estimate:+8.3f} ms ({over.low:+.3f} to {over.high:+.3f})  {said}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all arms together")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        app = stack.enter_context(a_server())
        arms = all_arms(stack, app, Path(folder))
        gc.disable()
        found, server = uvloop.run(measured(app, arms, asked.seconds))
        counts = f"{len(found[BASELINE])} rounds of {int(RATE_HZ * BLOCK_S)} requests an arm"
        print(f"{counts}, {RATE_HZ:g} a second, 95 % intervals", *told(arms, found), sep="\n")
        print(f"{server['offers']} offers meanwhile: p50 {server['p50_us']:.0f} us, p99 {server['p99_us']:.0f} us")
        waits = "; ".join(f"{name} {wait_us:.0f}" for name, wait_us in server["unserved_p99_us"].items())
        print(f"the server was ready and got no processor, p99 of its requests in us: {waits}")
        print(f"by processor time: {cost_of_copies(Path(folder))}")


if __name__ == "__main__":
    main()
