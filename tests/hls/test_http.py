import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from hypothesis import given
from hypothesis import strategies as st

from hls import playlist_body
from hls.answer import accepts_gzip, parse_range
from hls.auth_http import routes as auth_routes
from hls.config import HlsConfig
from hls.http import preview_routes, routes
from hls.output import HlsOutput
from hls.picture_http import routes as picture_routes
from hls.writer import Sample
from media.error import StreamError

from .conftest import Clip, Driver, Tone

Client = TestClient[web.Request, web.Application]
ClientMaker = Callable[[web.Application], Awaitable[Client]]

S = 90_000
STEP = 3600
PRIVATE = {"private": "secret"}


class ImpatientConfig(HlsConfig):
    @property
    def hold_limit_s(self) -> float:
        return 0.05


class House:
    """Holds one broadcast, `live`, and knows the streams `created`, `private` and `members`."""

    def __init__(self, output: HlsOutput) -> None:
        self.output = output

    def find(self, stream_id: str) -> HlsOutput | None:
        return None if stream_id == "created" else self.output

    def check(self, stream_id: str, token: str | None) -> None:
        if stream_id == "members" and token is None:
            raise StreamError("unauthorized", "sign in to watch this")
        if stream_id == "members":
            raise StreamError("forbidden", "only followers may watch this")
        if stream_id not in ("live", "created", "private") or token != PRIVATE.get(stream_id, token):
            raise StreamError("not_found", "no such stream")


@pytest.fixture
def driver(
    make_driver: Callable[..., Driver], video_clip: Callable[..., Clip], audio_tone: Callable[..., Tone]
) -> Driver:
    driver = make_driver()
    driver.begin()
    driver.declare(video_clip(), audio_tone(), ("720p", "480p"))
    return driver


@pytest.fixture
def live(driver: Driver, video_clip: Callable[..., Clip], audio_tone: Callable[..., Tone]) -> Driver:
    """Stop at 5 s: segments 0 and 1 are complete, of segment 2 parts 0 and 1 are there."""
    driver.push(video_clip(), audio_tone(), until=5 * S)
    return driver


@pytest.fixture
async def client(aiohttp_client: ClientMaker, driver: Driver) -> Client:
    app = web.Application()
    app.add_routes(routes(House(driver.output), HlsConfig()))
    return await aiohttp_client(app)


@pytest.fixture
async def impatient(aiohttp_client: ClientMaker, driver: Driver) -> Client:
    app = web.Application()
    app.add_routes(routes(House(driver.output), ImpatientConfig()))
    return await aiohttp_client(app)


async def problem(response: ClientResponse, status: int, code: str) -> dict[str, object]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    body: dict[str, object] = json.loads(await response.text())
    assert body["status"] == status
    assert body["code"] == code
    assert body["detail"]
    return body


async def waiting(output: HlsOutput, count: int) -> None:
    """Let the loop turn until so many requests wait."""
    while output.waiting != count:  # noqa: ASYNC110 - each turn of the loop brings the requests nearer
        await asyncio.sleep(0)


def frames(driver: Driver, start: int, end: int) -> None:
    """Feed plain frames to all renditions, as the live room does."""
    timeline = driver.output.timeline
    for dts in range(start, end, STEP):
        timeline.advance(dts, dts % (2 * S) == 0)
        for writer in driver.videos.values():
            writer.add(Sample(dts, dts, b"frame", dts % (2 * S) == 0))
            writer.advance(timeline.frontier)
        assert driver.audio is not None
        driver.audio.advance(timeline.frontier, dts)


@pytest.mark.usefixtures("live")
class TestAnswers:
    async def test_the_multivariant_playlist(self, client: Client) -> None:
        response = await client.get("/hls/live/master.m3u8")
        assert response.status == 200
        assert response.content_type == "application/vnd.apple.mpegurl"
        assert response.headers["Cache-Control"] == "public, max-age=1"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Content-Length" in response.headers["Access-Control-Expose-Headers"]
        text = await response.text()
        assert "720p/index.m3u8" in text
        assert "480p/index.m3u8" in text
        again = await client.get("/hls/live/master.m3u8")
        assert await again.text() == text

    async def test_every_address_in_the_playlists_answers(self, client: Client) -> None:
        for name in ("720p", "480p", "audio"):
            response = await client.get(f"/hls/live/{name}/index.m3u8")
            assert response.status == 200
            text = await response.text()
            addresses = [line for line in text.splitlines() if line.endswith("m4s")]
            addresses += [
                line.split('"')[1]
                for line in text.splitlines()
                if line.startswith(("#EXT-X-PART:", "#EXT-X-MAP"))
            ]
            assert len(addresses) > 10
            for address in addresses:
                media = await client.get(f"/hls/live/{name}/{address}")
                assert media.status == 200
                assert media.content_type == "video/mp4"
                assert media.headers["Cache-Control"] == "public, max-age=31536000, immutable"
                assert (await media.read())[4:8] in (b"moof", b"ftyp")

    @pytest.mark.parametrize("path", ["live/~anything", "private/~secret"])
    async def test_a_token_in_the_path_changes_nothing_but_the_right(self, client: Client, path: str) -> None:
        plain = await client.get("/hls/live/720p/index.m3u8")
        with_token = await client.get(f"/hls/{path}/720p/index.m3u8")
        assert await with_token.read() == await plain.read()
        assert (await client.get(f"/hls/{path}/master.m3u8")).status == 200
        assert (await client.get(f"/hls/{path}/720p/1-0.1.m4s")).status == 200
        assert (await client.get(f"/hls/{path}/720p/init-1.mp4")).status == 200

    @pytest.mark.parametrize("name", ["master.m3u8", "720p/index.m3u8", "720p/1-0.m4s", "720p/init-1.mp4"])
    async def test_head_is_get_without_the_body(self, client: Client, name: str) -> None:
        got = await client.get(f"/hls/live/{name}", headers={"Accept-Encoding": "identity"})
        head = await client.head(f"/hls/live/{name}", headers={"Accept-Encoding": "identity"})
        assert head.status == 200
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
        assert await head.read() == b""

    async def test_preflight(self, client: Client) -> None:
        response = await client.options("/hls/live/720p/index.m3u8")
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "GET" in response.headers["Access-Control-Allow-Methods"]
        assert "Range" in response.headers["Access-Control-Allow-Headers"]

    @pytest.mark.parametrize(
        ("accepted", "is_gzipped"), [("gzip, br", True), ("identity", False), ("gzip;q=0", False)]
    )
    async def test_playlists_are_compressed_when_accepted(
        self, client: Client, accepted: str, is_gzipped: bool
    ) -> None:
        for name in ("master.m3u8", "720p/index.m3u8"):
            response = await client.get(
                f"/hls/live/{name}",
                headers={"Accept-Encoding": accepted},
                auto_decompress=False,
            )
            body = await response.read()
            assert (response.headers.get("Content-Encoding") == "gzip") == is_gzipped
            assert response.headers["Vary"] == "Accept-Encoding"
            assert (gzip.decompress(body) if is_gzipped else body).startswith(b"#EXTM3U\n")

    @pytest.mark.parametrize(
        ("asked", "status", "expected"),
        [
            ("bytes=0-9", 206, slice(0, 10)),
            ("bytes=10-", 206, slice(10, None)),
            ("bytes=-7", 206, slice(-7, None)),
            ("bytes=5-99999999", 206, slice(5, None)),
            ("bytes=0-1,5-6", 200, slice(None)),
            ("bytes=9-2", 200, slice(None)),
            ("lines=0-1", 200, slice(None)),
        ],
    )
    async def test_ranges(self, client: Client, asked: str, status: int, expected: slice) -> None:
        whole = await (await client.get("/hls/live/720p/1-0.m4s")).read()
        response = await client.get("/hls/live/720p/1-0.m4s", headers={"Range": asked})
        assert response.status == status
        assert await response.read() == whole[expected]
        assert response.headers["Accept-Ranges"] == "bytes"
        if status == 206:
            start, stop, _ = expected.indices(len(whole))
            assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"

    async def test_a_range_beyond_the_end_cannot_be_satisfied(self, client: Client) -> None:
        response = await client.get("/hls/live/720p/1-0.1.m4s", headers={"Range": "bytes=99999999-"})
        assert response.status == 416
        assert response.headers["Content-Range"].startswith("bytes */")

    @pytest.mark.parametrize(
        "path",
        [
            "unknown/master.m3u8",
            "private/720p/index.m3u8",
            "private/~forged/master.m3u8",
            "live/1080p/index.m3u8",
            "live/720p/2-0.m4s",  # another generation
            "live/720p/1-2.m4s",  # not complete
            "live/720p/1-2.3.m4s",  # in the future and not hinted at
            "live/720p/1-3.0.m4s",
            "live/720p/1-0.99.m4s",
            "live/720p/init-2.mp4",
            "live/audio/1-999999999999999999.m4s",
            f"live/720p/{'9' * 3000}-1.m4s",
            "live/720p/1--1.m4s",
            "live/720p/\u0661-\u0662.m4s",
            "live/720p/index.m3u9",
            "live/720p/..%2f..%2fetc%2fpasswd",
            "live/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "live/720P/index.m3u8",
            "live/720p-hevc/index.m3u8",
            "live/720p-hevc/1-0.m4s",
            "live",
            "live/720p/extra/index.m3u8",
        ],
    )
    async def test_what_is_not_there_is_404(self, client: Client, path: str) -> None:
        response = await client.get(f"/hls/{path}")
        if path.count("%2e"):
            assert response.status == 404
            return
        await problem(response, 404, "not_found")
        assert response.headers["Cache-Control"] == "public, max-age=1"

    @pytest.mark.parametrize(
        "query",
        [
            "_HLS_part=1",
            "_HLS_msn=5",
            "_HLS_msn=2&_HLS_part=9",
            "_HLS_msn=x",
            "_HLS_msn=-1",
            "_HLS_skip=MAYBE",
        ],
    )
    async def test_wrong_directives_are_400(self, client: Client, query: str) -> None:
        await problem(await client.get(f"/hls/live/720p/index.m3u8?{query}"), 400, "bad_request")

    @pytest.mark.parametrize(
        ("path", "status", "code"), [("members", 401, "unauthorized"), ("members/~x", 403, "forbidden")]
    )
    async def test_rights(self, client: Client, path: str, status: int, code: str) -> None:
        await problem(await client.get(f"/hls/{path}/master.m3u8"), status, code)

    async def test_a_playlist_is_rendered_once_per_version(
        self, client: Client, live: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[str] = []
        original = playlist_body._deflate
        monkeypatch.setattr(playlist_body, "_deflate", lambda *a: calls.append("x") or original(*a))  # type: ignore[func-returns-value]
        for _ in range(5):
            assert (await client.get("/hls/live/720p/index.m3u8")).status == 200
        assert len(calls) == 1
        frames(live, 5 * S, 6 * S)
        await client.get("/hls/live/720p/index.m3u8")
        assert len(calls) == 2


class Backstage(House):
    """Shows the preview of `live` to whoever has the token `owner`."""

    def check(self, stream_id: str, token: str | None) -> None:
        if (stream_id, token) != ("live", "owner"):
            raise StreamError("not_found", "no such stream")


@pytest.mark.usefixtures("live")
class TestPreview:
    @pytest.fixture
    async def backstage(self, aiohttp_client: ClientMaker, driver: Driver) -> Client:
        app = web.Application()
        app.add_routes(preview_routes(Backstage(driver.output), HlsConfig(target_duration_s=10)))
        app.add_routes(picture_routes(House(driver.output), HlsConfig()))
        app.add_routes(routes(House(driver.output), HlsConfig()))
        app.add_routes(auth_routes(House(driver.output), Backstage(driver.output)))
        return await aiohttp_client(app)

    @pytest.mark.parametrize(
        "name",
        [
            "master.m3u8",
            "720p/index.m3u8",
            "audio/index.m3u8",
            "720p/1-0.m4s",
            "720p/1-2.1.m4s",
            "720p/init-1.mp4",
        ],
    )
    async def test_it_is_below_the_token_and_in_no_cache(self, backstage: Client, name: str) -> None:
        shown = await backstage.get(f"/hls/live/~owner/preview/{name}")
        assert shown.status == 200
        public = await backstage.get(f"/hls/live/{name}")
        assert public.headers["Cache-Control"].startswith("public")
        assert shown.headers["Cache-Control"] == "private, no-store"
        for path in ("live", "live/~other", "created/~owner", "unknown/~owner"):
            hidden = await backstage.get(f"/hls/{path}/preview/{name}")
            body = await problem(hidden, 404, "not_found")
            assert body["detail"] == "no such stream"
            assert hidden.headers["Cache-Control"] == "private, no-store"

    async def test_its_playlists_have_constants_of_their_own(self, backstage: Client) -> None:
        shown = await backstage.get("/hls/live/~owner/preview/720p/index.m3u8")
        assert "#EXT-X-TARGETDURATION:10\n" in await shown.text()
        public = await backstage.get("/hls/live/~owner/720p/index.m3u8")
        assert "#EXT-X-TARGETDURATION:5\n" in await public.text()

    async def test_what_a_preview_has_not_is_not_the_broadcasts(self, backstage: Client) -> None:
        for name in ("720p/iframes.m3u8", "thumbnails/0.jpg", "720p/1-0.key.m4s", "manifest.mpd", "a/b/c"):
            await problem(await backstage.get(f"/hls/live/~owner/preview/{name}"), 404, "not_found")

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/hls/live/~owner/preview/720p/1-0.m4s", 204),
            ("/hls/live/~other/preview/720p/1-0.m4s", 403),
            ("/hls/live/preview/master.m3u8", 403),
            ("/hls/live/~other/720p/1-0.m4s", 204),
            ("/hls/live/previews/1-0.m4s", 204),
        ],
    )
    async def test_a_proxy_is_told_who_may_see_it(self, backstage: Client, path: str, status: int) -> None:
        answer = await backstage.get("/hls-auth", headers={"X-Original-URI": path})
        assert answer.status == status


class TestLate:
    async def test_a_rung_that_begins_later_answers_from_the_moment_it_is_declared(
        self, client: Client, live: Driver, video_clip: Callable[..., Clip]
    ) -> None:
        assert "1080p" not in await (await client.get("/hls/live/master.m3u8")).text()
        await problem(await client.get("/hls/live/1080p/index.m3u8"), 404, "not_found")
        at = 5 * S
        live.lose(at)
        live.begin(at)
        live.declare(video_clip(), None, ("1080p",))
        late = live.videos.pop("1080p")
        frames(live, at, at + 2 * S)
        assert "1080p" not in await (await client.get("/hls/live/master.m3u8")).text()
        request = asyncio.create_task(client.get("/hls/live/1080p/index.m3u8"))
        await waiting(live.output, 1)
        late.add(Sample(at, at, b"frame", True))
        late.advance(at + S)
        response = await request
        assert response.status == 200
        lines = (await response.text()).splitlines()
        assert "#EXT-X-MEDIA-SEQUENCE:3" in lines
        assert "#EXT-X-DISCONTINUITY" in lines
        (init,) = [line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP")]
        assert (await client.get(f"/hls/live/1080p/{init}")).status == 200
        assert "1080p/index.m3u8" in await (await client.get("/hls/live/master.m3u8")).text()
        for name in ("720p", "audio"):
            frames(live, at + 2 * S, at + 4 * S)
            text = await (await client.get(f"/hls/live/{name}/index.m3u8")).text()
            assert '#EXT-X-RENDITION-REPORT:URI="../1080p/index.m3u8",LAST-MSN=3,LAST-PART=' in text


class TestBefore:
    async def test_there_is_no_multivariant_playlist_before_the_first_part(
        self, client: Client, driver: Driver
    ) -> None:
        for path in ("live/master.m3u8", "created/master.m3u8", "live/720p/index.m3u8"):
            response = await client.get(f"/hls/{path}")
            await problem(response, 404, "no_media_yet")
            assert response.headers["Retry-After"] == "1"
        frames(driver, 0, S)
        assert (await client.get("/hls/live/master.m3u8")).status == 200

    async def test_the_first_request_of_a_slow_rung_waits_for_a_part(
        self, client: Client, driver: Driver
    ) -> None:
        slow = driver.videos.pop("480p")
        frames(driver, 0, S)
        request = asyncio.create_task(client.get("/hls/live/480p/index.m3u8"))
        await waiting(driver.output, 1)
        slow.advance(driver.output.timeline.frontier)
        response = await request
        assert response.status == 200
        assert "GAP=YES" in await response.text()


@pytest.mark.usefixtures("live")
class TestBlocking:
    @pytest.mark.parametrize(
        ("query", "cache"),
        [
            ("", "public, max-age=1"),
            ("_HLS_msn=0", "public, max-age=30"),
            ("_HLS_msn=1&_HLS_part=2", "public, max-age=30"),
            ("_HLS_msn=1&_HLS_part=9", "public, max-age=30"),
            ("_HLS_msn=2&_HLS_part=1", "public, max-age=30"),
            ("_HLS_msn=1&_HLS_skip=YES", "public, max-age=30"),
        ],
    )
    async def test_what_is_there_is_answered_at_once(self, client: Client, query: str, cache: str) -> None:
        response = await client.get(f"/hls/live/720p/index.m3u8?{query}")
        assert response.status == 200
        assert response.headers["Cache-Control"] == cache
        assert '1-2.1.m4s"' in await response.text()

    async def test_a_part_is_waited_for(self, client: Client, live: Driver) -> None:
        url = "/hls/live/720p/index.m3u8?_HLS_msn=2&_HLS_part=2"
        requests = [asyncio.create_task(client.get(url)) for _ in range(5)]
        await waiting(live.output, 5)
        assert not any(request.done() for request in requests)
        frames(live, 5 * S, 5 * S + 12 * STEP)
        texts = [await (await request).text() for request in requests]
        assert len(set(texts)) == 1
        assert '1-2.2.m4s"' in texts[0]
        assert live.output.waiting == 0

    async def test_a_part_past_the_end_means_the_first_of_the_next_segment(
        self, client: Client, live: Driver
    ) -> None:
        request = asyncio.create_task(client.get("/hls/live/720p/index.m3u8?_HLS_msn=2&_HLS_part=6"))
        await waiting(live.output, 1)
        frames(live, 5 * S, 6 * S + STEP)
        await waiting(live.output, 1)
        assert not request.done()
        frames(live, 6 * S + STEP, 6 * S + 14 * STEP)
        assert '1-3.0.m4s"' in await (await request).text()

    async def test_a_number_alone_waits_for_the_whole_segment_once_it_has_parts(
        self, client: Client, live: Driver
    ) -> None:
        request = asyncio.create_task(client.get("/hls/live/720p/index.m3u8?_HLS_msn=2"))
        await waiting(live.output, 1)
        frames(live, 5 * S, 5 * S + 12 * STEP)
        assert live.output.waiting == 1
        frames(live, 5 * S + 12 * STEP, 6 * S + STEP)
        response = await request
        assert "\n1-2.m4s\n" in await response.text()
        assert response.headers["Cache-Control"] == "public, max-age=30"

    async def test_a_number_alone_is_released_by_the_first_part_of_a_new_segment(
        self, client: Client, live: Driver
    ) -> None:
        request = asyncio.create_task(client.get("/hls/live/720p/index.m3u8?_HLS_msn=3"))
        await waiting(live.output, 1)
        frames(live, 5 * S, 6 * S + 14 * STEP)
        response = await request
        assert '1-3.0.m4s"' in await response.text()
        # A cache must not hand this to somebody who means the whole segment.
        assert response.headers["Cache-Control"] == "public, max-age=1"

    async def test_nothing_new_for_three_target_durations_is_503(
        self, impatient: Client, live: Driver
    ) -> None:
        response = await impatient.get("/hls/live/720p/index.m3u8?_HLS_msn=2&_HLS_part=2")
        await problem(response, 503, "no_new_media")
        assert response.headers["Retry-After"] == "1"
        assert live.output.waiting == 0

    async def test_a_lost_source_publishes_what_there_is_and_releases(
        self, client: Client, live: Driver
    ) -> None:
        request = asyncio.create_task(client.get("/hls/live/720p/index.m3u8?_HLS_msn=2&_HLS_part=2"))
        await waiting(live.output, 1)
        live.lose(5 * S)
        assert "\n1-2.m4s\n" in await (await request).text()

    async def test_the_end_releases_everyone_with_the_final_playlist(
        self, client: Client, live: Driver
    ) -> None:
        queries = ["_HLS_msn=2&_HLS_part=3", "_HLS_msn=3", "_HLS_msn=4&_HLS_part=0"]
        requests = [
            asyncio.create_task(client.get(f"/hls/live/720p/index.m3u8?{query}")) for query in queries
        ]
        await waiting(live.output, 3)
        live.lose(5 * S)
        live.output.finish()
        for request in requests:
            text = await (await request).text()
            assert text.endswith("#EXT-X-ENDLIST\n")
            assert "PRELOAD-HINT" not in text
        after = await client.get("/hls/live/720p/index.m3u8?_HLS_msn=999&_HLS_part=bad")
        assert (await after.text()).endswith("#EXT-X-ENDLIST\n")

    async def test_a_stopping_server_releases_everyone(self, client: Client, live: Driver) -> None:
        request = asyncio.create_task(client.get("/hls/live/720p/index.m3u8?_HLS_msn=3"))
        await waiting(live.output, 1)
        live.output.close()
        await problem(await request, 503, "no_new_media")

    async def test_waiting_is_bounded(
        self, client: Client, live: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hls.delivery.MAX_WAITERS", 2)
        url = "/hls/live/720p/index.m3u8?_HLS_msn=2&_HLS_part=2"
        requests = [asyncio.create_task(client.get(url)) for _ in range(2)]
        await waiting(live.output, 2)
        refused = await client.get(url)
        await problem(refused, 503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        assert (await client.get("/hls/live/720p/index.m3u8")).status == 200
        live.lose(5 * S)
        assert [(await request).status for request in requests] == [200, 200]


@pytest.mark.usefixtures("live")
class TestHints:
    async def hint(self, client: Client, name: str) -> str:
        text = await (await client.get(f"/hls/live/{name}/index.m3u8")).text()
        return next(
            line.split('"')[1] for line in text.splitlines() if line.startswith("#EXT-X-PRELOAD-HINT")
        )

    async def test_the_hinted_part_is_waited_for_and_then_sent(self, client: Client, live: Driver) -> None:
        hint = await self.hint(client, "720p")
        request = asyncio.create_task(client.get(f"/hls/live/720p/{hint}"))
        await waiting(live.output, 1)
        frames(live, 5 * S, 5 * S + 12 * STEP)
        response = await request
        assert response.status == 200
        text = await (await client.get("/hls/live/720p/index.m3u8")).text()
        assert f'URI="{hint}"' in text
        again = await client.get(f"/hls/live/720p/{hint}")
        assert await again.read() == await response.read()

    async def test_a_hinted_part_that_turns_out_lost_is_404(self, client: Client, live: Driver) -> None:
        hint = await self.hint(client, "480p")
        request = asyncio.create_task(client.get(f"/hls/live/480p/{hint}"))
        await waiting(live.output, 1)
        slow = live.videos.pop("480p")
        slow._samples.clear()
        frames(live, 5 * S, 6 * S)
        slow.advance(live.output.timeline.frontier)
        await problem(await request, 404, "not_found")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
    ],
)
def test_accept_encoding(header: str, expected: bool) -> None:
    assert accepts_gzip(header) == expected


@given(
    header=st.text(max_size=30) | st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}"), size=st.integers(1, 10**6)
)
def test_any_range_header_is_answered(header: str, size: int) -> None:
    asked = parse_range(header, size)
    if asked is not None and asked[0] < asked[1]:
        assert 0 <= asked[0] < asked[1] <= size
