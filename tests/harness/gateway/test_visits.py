from pathlib import Path

import pytest

from tests.gateways import running_gateway


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("PUT", "/v1/voices", 405, "method_not_allowed"),
        ("POST", "/v1/audio/speech", 401, "invalid_api_key"),
    ],
)
async def test_every_error_has_the_same_form(tmp_path: Path, method: str, path: str, status: int, code: str) -> None:
    async with (
        running_gateway(tmp_path, modes={}) as world,
        world.http.request(method, world.base_url + path) as reply,
    ):
        error = (await reply.json())["error"]

        assert (reply.status, error["code"]) == (status, code)
        assert set(error) == {"code", "message", "type", "request_id"}
        assert error["request_id"] == reply.headers["X-Request-Id"]
        assert ("Allow" in reply.headers) == (status == 405)


async def test_a_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    limits = {"limits": {"max_body_bytes": 1_000}}
    async with running_gateway(tmp_path, modes={}, **limits) as world:
        status, _, body = await world.speak("x" * 2_000)

        assert (status, b"body_too_large" in body) == (413, True)


async def test_a_trace_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="harness.telemetry.request_log")
    async with running_gateway(tmp_path, modes={}) as world:
        trace_id = "0af7651916cd43dd8448eb211c80319c"
        headers = {**world.headers, "traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
        async with world.http.get(f"{world.base_url}/v1/voices", headers=headers) as reply:
            await reply.read()

    lines = [record for record in caplog.records if record.message == "request"]
    assert [line.trace_id for line in lines] == [trace_id]  # type: ignore[attr-defined]
