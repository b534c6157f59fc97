"""Administration, on a port of its own: how things stand for everybody who reaches it, changes for the token only."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from harness.clock import Clock
from harness.errors import HarnessError, UsageError
from harness.gateway.control import Control
from harness.gateway.refusals import Refused, body_of
from harness.gateway.rehearsals import Rehearsals
from harness.speech import Operation

__all__ = ["admin_application"]

_MAX_BODY_BYTES: Final = 64 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Reason(BaseModel):
    """Who does it and why; both are kept."""

    model_config = ConfigDict(extra="forbid")

    who: str = Field(min_length=1, max_length=100)
    why: str = Field(min_length=1, max_length=500)


def admin_application(
    control: Control,
    *,
    rehearsals: Rehearsals,
    token: SecretStr | None,
    clock: Clock,
    metrics_text: Callable[[], bytes],
) -> web.Application:
    """Status, kill switch, drill, rollout state. Without a token in the settings nothing can be changed here."""
    routes = _Routes(control, rehearsals, token, clock)
    app = web.Application(middlewares=[_errors], client_max_size=_MAX_BODY_BYTES)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=metrics_text(), content_type="text/plain")

    app.add_routes(
        [
            web.get("/status", routes.status),
            web.get("/rollout", routes.rollout),
            web.post("/kill", routes.kill),
            web.post("/unkill", routes.unkill),
            web.post("/drill", routes.drill),
            web.get("/metrics", metrics),
        ]
    )
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response(body_of(refused, request_id=""), status=refused.status)
    except web.HTTPException as error:
        body = body_of(Refused(error.status, "http_error", error.reason), request_id="")
        return web.json_response(body, status=error.status)
    except UsageError as error:
        return web.json_response(body_of(Refused(409, "not_now", str(error)), request_id=""), status=409)
    except HarnessError as error:
        # The reader administers this machine, so the sentence may name a file.
        return web.json_response(body_of(Refused(500, "not_changed", str(error)), request_id=""), status=500)


class _Routes:
    def __init__(self, control: Control, rehearsals: Rehearsals, token: SecretStr | None, clock: Clock) -> None:
        self._control = control
        self._rehearsals = rehearsals
        self._token = token
        self._clock = clock

    async def status(self, request: web.Request) -> web.Response:
        """Switch, flags, effective shares and breakers of this process."""
        control = self._control
        flags = control.flags.current()
        breakers = {
            f"{lane}/{operation}": {"phase": state.phase.value, "reason": state.reason}
            for (lane, operation), state in control.breakers.states().items()
        }
        body: Mapping[str, Any] = {
            "killed": control.kill_switch.reason(),
            "flags": {"version": flags.version, "problem": flags.problem},
            "rollout": {"version": control.rollout.rollouts.version, "problem": control.rollout.problem},
            "operations": {operation.value: self._operation(operation) for operation in Operation},
            "breakers": breakers,
        }
        return web.json_response(body)

    def _operation(self, operation: Operation) -> dict[str, Any]:
        inputs = self._control.router.inputs(operation, unit=None, request_id="")
        return {
            "mode": inputs.flag.mode.value,
            "flag_version": inputs.flag_version,
            "flag_share_bp": inputs.flag.live_bp,
            "rollout": inputs.ceiling.name,
            "rollout_share_bp": inputs.ceiling.share_bp,
            "share_bp": 0 if inputs.killed else min(inputs.flag.live_bp, inputs.ceiling.share_bp),
        }

    async def rollout(self, request: web.Request) -> web.Response:
        """The rollout of each operation."""
        rollouts = self._control.rollout.rollouts
        of = {
            operation.value: {
                "name": each.name,
                "epoch": each.epoch,
                "since": each.since.isoformat(),
                "reason": each.reason,
            }
            for operation, each in rollouts.of.items()
        }
        return web.json_response({"version": rollouts.version, "operations": of})

    async def kill(self, request: web.Request) -> web.Response:
        """Cut Qwen off, in all processes, from the next request on."""
        reason = await self._permitted(request)
        self._control.kill_switch.engage(who=reason.who, why=reason.why, at=self._clock.now())
        return web.json_response({"killed": self._control.kill_switch.reason()})

    async def unkill(self, request: web.Request) -> web.Response:
        """Take the kill switch back; one in the environment stays."""
        await self._permitted(request)
        self._control.kill_switch.lift()
        return web.json_response({"killed": self._control.kill_switch.reason()})

    async def drill(self, request: web.Request) -> web.Response:
        """Rehearse a rollback on this gateway; for some seconds callers get legacy."""
        reason = await self._permitted(request)
        drill = await self._rehearsals.hold(who=reason.who)
        return web.json_response({"passed": drill.passed, "detail": drill.detail, "at": drill.at.isoformat()})

    async def _permitted(self, request: web.Request) -> _Reason:
        """Who wants a change and why, once the token was right."""
        if self._token is None:
            said = "nothing can be changed here: CUTOVER_GATEWAY__ADMIN_TOKEN is not set; use `cutover rollout`"
            raise Refused(403, "read_only", said)
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(shown, self._token.get_secret_value().encode()):
            raise Refused(401, "invalid_token", "send the token of administration as `Authorization: Bearer TOKEN`")
        try:
            return _Reason.model_validate(json.loads(await request.read()))
        except (ValidationError, ValueError):
            raise Refused(400, "invalid_body", 'send JSON such as {"who": "ana", "why": "drill"}') from None
