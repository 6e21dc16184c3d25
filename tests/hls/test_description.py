"""What the description says is what is served."""

from __future__ import annotations

import re

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from hls.config import HlsConfig
from hls.description import paths
from hls.http import routes
from hls.port import Broadcast


class Nobody:
    def find(self, stream_id: str) -> Broadcast | None:
        return None

    def check(self, stream_id: str, token: str | None) -> None:
        return None


async def test_every_described_path_has_a_route() -> None:
    application = web.Application()
    application.add_routes(routes(Nobody(), HlsConfig()))
    assert paths()
    for path in paths():
        match = await application.router.resolve(make_mocked_request("GET", re.sub(r"{\w+}", "1", path)))
        resource = match.route.resource
        assert resource is not None
        assert resource.canonical != "/hls/{tail}", path
