"""What the description says is what is served."""

from __future__ import annotations

import re

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from webrtc.description import paths
from webrtc.whep import routes

from .whep_house import House, MemoryGateway


async def test_every_described_operation_has_a_route() -> None:
    application = web.Application()
    house = House()
    application.add_routes(routes(MemoryGateway(), house, house))
    assert paths()
    for path, operations in paths().items():
        for method, operation in operations.items():
            request = make_mocked_request(method.upper(), re.sub(r"{\w+}", "1", path))
            route = (await application.router.resolve(request)).route
            assert route.resource is not None
            assert route.resource.canonical == path
            assert route.method == method.upper(), path
            named = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
