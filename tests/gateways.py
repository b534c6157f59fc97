"""A gateway over both stand-ins, all in this process and over real sockets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from harness.clock import SystemClock
from harness.config import (
    CaptureSettings,
    FlagSettings,
    GatewaySettings,
    LimitSettings,
    ModalSettings,
    QuotaSettings,
    QwenSettings,
    Settings,
    ShadowSettings,
)
from harness.emulators.options import ModalOptions, QwenOptions
from harness.emulators.server import Standin, running_modal, running_qwen
from harness.gateway.caller_file import add_key
from harness.gateway.callers import callers_path
from harness.gateway.opening import Gateway
from harness.gateway.serving import serving
from harness.rollout.places import state_folder
from harness.rollout.stage import Rollout, Stage, Standing
from harness.rollout.state_file import StateFile
from harness.sections import OwnQuotaSettings
from harness.speech import Operation
from tests.canaries import ADMIN_TOKEN, QWEN_KEY

__all__ = ["TOKEN", "World", "a_rollout", "begin_rollout", "flags_text", "running_gateway"]

TOKEN = ADMIN_TOKEN
PLENTY = LimitSettings(requests_per_minute=1e9, chars_per_minute=1e12, voices_per_day=1e9)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A running gateway, what stands behind it, and one caller's way in."""

    base_url: str
    admin_url: str
    key: str
    other_key: str  # another caller's
    settings: Settings
    gateway: Gateway
    qwen: Standin
    modal: Standin
    http: aiohttp.ClientSession

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def speak(self, text: str = "Good morning.", *, key: str | None = None, **fields: Any) -> Any:
        """The reply to one speech request, read to its end: status, headers, body."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        body = {"input": text, "voice": "Vivian", **fields}
        async with self.http.post(f"{self.base_url}/v1/audio/speech", json=body, headers=headers) as reply:
            return reply.status, reply.headers, await reply.read()

    def set_flags(self, **modes: str) -> None:
        """Write the flag file; `generate="canary:5000"`."""
        self.settings.flags.file.write_text(flags_text(**modes))

    def asked(self, standin: Standin) -> int:
        """How many calls a stand-in got, answered or not."""
        return sum(sum(answers.values()) for answers in standin.account.meter()["requests"].values())


def flags_text(**modes: str) -> str:
    """The text of a flag file."""
    tables = []
    for operation in Operation:
        mode, _, share = modes.get(operation.value, "legacy").partition(":")
        shares = f"share_bp = {share if mode == 'canary' else 0}\nshadow_bp = {share if mode == 'shadow' else 0}\n"
        tables.append(f'[{operation}]\nmode = "{mode}"\n{shares}')
    return "\n".join(['schema = 1\nsalt = "test-1"\n', *tables])


def a_rollout(stage: Stage = Stage.FULL) -> Rollout:
    at = LONG_AGO
    return Rollout(stage=stage, standing=Standing.RUNNING, epoch="e1", started_at=at, since=at, reason="for a test")


async def begin_rollout(home: Path, stage: Stage = Stage.FULL) -> None:
    """Put every operation at a stage, as if it had been promoted there."""
    state = StateFile(state_folder(home), clock=SystemClock())
    await state.change(lambda _: a_rollout(stage), operations=tuple(Operation), who="test", why="for a test")


@asynccontextmanager
async def running_gateway(
    home: Path,
    *,
    stage: Stage | None = Stage.FULL,
    qwen: QwenOptions | None = None,
    modal: ModalOptions | None = None,
    modes: dict[str, str] | None = None,
    capture_bp: int = 0,
    qwen_settings: dict[str, Any] | None = None,
    modal_settings: dict[str, Any] | None = None,
    **gateway_settings: Any,
) -> AsyncIterator[World]:
    """Both stand-ins and a gateway; every caller gets Qwen unless `modes` or `stage` say otherwise."""
    async with AsyncExitStack() as stack:
        at_qwen = await stack.enter_async_context(
            running_qwen(qwen or QwenOptions(requests_per_minute=1e9, max_chars=None))
        )
        at_modal = await stack.enter_async_context(running_modal(modal))
        settings = _settings(home, at_qwen, at_modal, capture_bp, qwen_settings, modal_settings, gateway_settings)
        modes = dict.fromkeys(Operation, "qwen") if modes is None else modes
        settings.flags.file.write_text(flags_text(**modes))
        if stage is not None:
            await begin_rollout(home, stage)
        clock = SystemClock()
        _, key = add_key(callers_path(settings), "app", now=clock.now())
        _, other_key = add_key(callers_path(settings), "other", now=clock.now())
        addresses = await stack.enter_async_context(serving(settings, clock=clock))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield World(
            base_url=addresses.base_url,
            admin_url=addresses.admin_url or "",
            key=key,
            other_key=other_key,
            settings=settings,
            gateway=addresses.gateway,
            qwen=at_qwen,
            modal=at_modal,
            http=http,
        )


def _settings(
    home: Path,
    at_qwen: Standin,
    at_modal: Standin,
    capture_bp: int,
    qwen: dict[str, Any] | None,
    modal: dict[str, Any] | None,
    gateway: dict[str, Any],
) -> Settings:
    urls = [at_qwen.base_url, at_qwen.audio_url or "", at_modal.base_url]
    # Tests look into the shadow; one that runs apart has tests of its own (test_shadow_process.py).
    shadow = ShadowSettings(own_process=False)
    fast: dict[str, Any] = {"per_minute": 6_000_000, "per_second": 100_000, "share": 1, "ramp_s": 0}
    return Settings(
        home=home,
        allow_hosts=frozenset(url.removeprefix("http://") for url in urls),
        flags=FlagSettings(file=home / "flags.toml"),
        capture=CaptureSettings(share_bp=capture_bp),
        qwen=QwenSettings(
            **{
                "base_url": at_qwen.base_url,
                "api_key": SecretStr(QWEN_KEY),
                "allow_voice_creation": True,
                "quota": QuotaSettings(**fast),
                **(qwen or {}),
            }
        ),
        modal=ModalSettings(**{"base_url": at_modal.base_url, "quota": OwnQuotaSettings(**fast), **(modal or {})}),
        gateway=GatewaySettings(
            **{
                "port": 0,
                "admin_port": 0,
                "admin_token": SecretStr(TOKEN),
                "drain_s": 2.0,
                "limits": PLENTY,
                "shadow": shadow,
                **gateway,
            }
        ),
    )
