"""`cutover doctor`: whether a live run could begin, and what to do if not."""

import asyncio
import json

import click

from harness.clock import SystemClock
from harness.config import Settings
from harness.doctor import Check, Mark, check_live, check_settings, smoke
from harness.errors import HarnessError

__all__ = ["doctor"]


@click.command(epilog="Example: cutover doctor --offline")
@click.option("--offline", is_flag=True, help="Look at the settings only; send nothing.")
@click.option("--wake", is_flag=True, help="Ask the legacy path for its health: that can start a GPU and cost money.")
@click.option("--smoke", "speak", is_flag=True, help="Say one word at each provider, once --yes agrees to its price.")
@click.option("--yes", is_flag=True, help="Agree to what --smoke may cost.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for machines.")
def doctor(offline: bool, wake: bool, speak: bool, yes: bool, as_json: bool) -> int:
    """Check settings, keys, prices and models, and whether both providers answer; free unless told otherwise.

    Exit status: 0 a run could begin, 4 something is bad.
    """
    if offline and (wake or speak):
        raise click.UsageError("--offline sends nothing, --wake and --smoke do; choose")
    settings = Settings.load()
    checks = asyncio.run(_all(settings, offline=offline, wake=wake, speak=speak, yes=yes))
    if as_json:
        rows = [{"name": check.name, "mark": check.mark.value, "words": check.words} for check in checks]
        click.echo(json.dumps({"schema": 1, "checks": rows}, indent=2))
    else:
        for check in checks:
            click.echo(f"{check.mark.value:8} {check.name}: {check.words}")
    bad = sum(check.mark is Mark.BAD for check in checks)
    click.echo(f"{bad} of {len(checks)} are bad. Next: cutover {'doctor' if bad else 'replay --help'}", err=True)
    return HarnessError.exit_status if bad else 0


async def _all(settings: Settings, *, offline: bool, wake: bool, speak: bool, yes: bool) -> list[Check]:
    clock = SystemClock()
    checks = list(check_settings(settings, today=clock.now().date()))
    if offline:
        return checks
    checks += [check async for check in check_live(settings, clock=clock, wake=wake)]
    for name in ("qwen", "modal") if speak else ():

        def announce(worst_microusd: int | None, name: str = name) -> bool:
            price = "an unknown amount" if worst_microusd is None else f"at most ${worst_microusd / 1e6:.6f}"
            click.echo(f"One word at {name} costs {price}.", err=True)
            return yes

        checks.append(await smoke(name, settings, clock=clock, announce=announce))
    return checks
