"""What the description says is what is served."""

from __future__ import annotations

import re

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from hls import auth_http, dash_http, http, picture_http
from hls.config import HlsConfig
from hls.description import paths
from hls.port import Broadcast


class Nobody:
    def find(self, stream_id: str) -> Broadcast | None:
        return None

    def check(self, stream_id: str, token: str | None) -> None:
        return None


async def test_every_described_path_has_a_route() -> None:
    application = web.Application()
    application.add_routes(auth_http.routes(Nobody(), Nobody()))
    application.add_routes(http.preview_routes(Nobody(), HlsConfig()))
    application.add_routes(picture_http.routes(Nobody(), HlsConfig()))
    application.add_routes(dash_http.routes(Nobody(), HlsConfig()))
    application.add_routes(http.routes(Nobody(), HlsConfig()))
    assert paths()
    for path in paths():
        match = await application.router.resolve(make_mocked_request("GET", re.sub(r"{\w+}", "1", path)))
        resource = match.route.resource
        assert resource is not None
        assert resource.canonical not in ("/hls/{tail}", "/dash/{tail}"), path
