from pathlib import Path

from tests.gateways import running_gateway


async def test_every_documented_route_is_there_and_no_other(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, modes={}) as world:
        async with world.http.get(f"{world.base_url}/openapi.json") as reply:
            document = await reply.json()
        served = set()
        for path, methods in document["paths"].items():
            for method in methods:
                url = world.base_url + path.replace("{id}", "voice-none")
                async with world.http.request(method, url, headers=world.headers) as reply:
                    served.add((path, method, reply.status not in (404, 405) or b"voice" in await reply.read()))

    assert len(served) == 8
    assert all(found for _, _, found in served)
