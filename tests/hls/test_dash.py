"""DASH manifests: of a real output, by hand and over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from aiohttp import web

from hls.dash import Listing, list_broadcast
from hls.dash_http import routes
from hls.dash_manifest import render_head, render_rest
from hls.dash_period import Periods
from hls.http import routes as hls_routes
from media.packet import CLOCK_HZ

from .conftest import Clip, Driver, Tone
from .test_http import Client, ClientMaker, House
from .test_rewind import CONFIG, Shelf, play, shelf
from .test_window import Rungs

__all__ = ["shelf"]  # a fixture

MPD = "{urn:mpeg:dash:schema:mpd:2011}"


def listing(rungs: Rungs, periods: Periods) -> Listing:
    view = rungs.output.multivariant()
    assert view is not None
    return list_broadcast(view, {name: rungs.view(name) for name in ("720p", "480p")}, periods)


def render(found: Listing, rungs: Rungs) -> ElementTree.Element:
    config = rungs.output.config
    return ElementTree.fromstring(  # noqa: S314 - our own
        render_head(found, config, "/hls/live/", 1_790_000_000.0) + render_rest(found, config)
    )


def segments(period: ElementTree.Element) -> list[tuple[int, int, int]]:
    """List number, start and duration of each, in ticks."""
    template = period.find(f"{MPD}SegmentTemplate")
    assert template is not None
    number, time, found = int(template.attrib["startNumber"]), 0, []
    for each in template.iter(f"{MPD}S"):
        time, duration = int(each.get("t", time)), int(each.attrib["d"])
        for _ in range(int(each.get("r", 0)) + 1):
            found.append((number, time, duration))
            number, time = number + 1, time + duration
    return found


def test_a_live_broadcast() -> None:
    rungs = Rungs()
    rungs.run(3)
    root = render(listing(rungs, Periods()), rungs)
    assert root.attrib["type"] == "dynamic"
    (period,) = root.findall(f"{MPD}Period")
    starts = [each.start for each in rungs.view().listed]
    assert segments(period)[:3] == [(msn, starts[msn], 2 * CLOCK_HZ) for msn in range(3)]
    assert [each.attrib["id"] for each in period.iter(f"{MPD}Representation")] == ["720p", "480p"]
    template = period.find(f"{MPD}SegmentTemplate")
    assert template is not None
    assert template.attrib["presentationTimeOffset"] == str(starts[0])
    assert period.attrib["start"] == f"PT{rungs.view().segments[0].program_date_time:.0f}S"


def test_the_segment_that_is_made_is_listed_where_they_are_regular() -> None:
    rungs = Rungs()
    for count, expected in ((1, 1), (1, 3)):
        rungs.run(count)
        found = listing(rungs, Periods())
        (period,) = render(found, rungs).findall(f"{MPD}Period")
        assert len(segments(period)) == expected, "one length foretells nothing"
        assert found.open_s == (2.0 if expected == 3 else 0.0)
    template = period.find(f"{MPD}SegmentTemplate")
    assert template is not None
    assert template.attrib["availabilityTimeOffset"] == "1.500"
    assert template.attrib["availabilityTimeComplete"] == "false"


def test_a_reconnect_and_the_end() -> None:
    rungs, periods = Rungs(), Periods()
    rungs.run(3)
    listing(rungs, periods)
    rungs.reconnect()
    rungs.run(2)
    rungs.output.finish()
    root = render(listing(rungs, periods), rungs)
    first, second = root.findall(f"{MPD}Period")
    assert (first.attrib["id"], second.attrib["id"]) == ("0", "3")
    assert [number for number, *_ in segments(first) + segments(second)] == list(range(5))
    assert root.attrib["type"] == "static"
    end_s = float(second.attrib["start"][2:-1]) + float(second.attrib["duration"][2:-1])
    assert float(root.attrib["mediaPresentationDuration"][2:-1]) == pytest.approx(end_s)
    assert "minimumUpdatePeriod" not in root.attrib
    assert root.find(f"{MPD}UTCTiming") is None


async def test_hours_are_a_few_lines(shelf: Shelf) -> None:
    rungs = Rungs(CONFIG, archive=shelf.open("show"))
    await play(rungs, shelf, 300)
    found = listing(rungs, Periods())
    (period,) = render(found, rungs).findall(f"{MPD}Period")
    assert [number for number, *_ in segments(period)][:200] == list(range(100, 300))
    assert len(list(period.iter(f"{MPD}S"))) <= 2


@pytest.fixture
async def dash(
    make_driver: Callable[..., Driver],
    video_clip: Callable[..., Clip],
    audio_tone: Callable[..., Tone],
    aiohttp_client: ClientMaker,
) -> tuple[Client, Driver]:
    driver = make_driver()
    driver.begin()
    driver.declare(video_clip(), audio_tone(), ("720p", "480p"))
    driver.push(video_clip(), audio_tone())
    app, house = web.Application(), House(driver.output)
    app.add_routes(routes(house, driver.output.config, lambda: 1_790_000_000.25))
    app.add_routes(hls_routes(house, driver.output.config))
    return await aiohttp_client(app), driver


async def test_every_address_of_a_manifest_answers(dash: tuple[Client, Driver]) -> None:
    client, _ = dash
    response = await client.get("/dash/live/manifest.mpd", headers={"Accept-Encoding": "gzip"})
    assert (response.status, response.content_type) == (200, "application/dash+xml")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    root = ElementTree.fromstring(await response.text())  # noqa: S314 - our own
    base = root.findtext(f"{MPD}BaseURL")
    assert base == "/hls/live/"
    (period,) = root.findall(f"{MPD}Period")
    representations = list(period.iter(f"{MPD}Representation"))
    assert [each.attrib["id"] for each in representations] == ["720p", "480p", "audio"]
    for each in representations:
        template = each.find(f"{MPD}SegmentTemplate")
        assert template is not None
        for number, *_ in segments(period)[:2]:
            name = template.attrib["media"].replace("$RepresentationID$", each.attrib["id"])
            media = await client.get(f"/hls/live/{name.replace('$Number$', str(number))}")
            assert media.status == 200
        name = template.attrib["initialization"].replace("$RepresentationID$", each.attrib["id"])
        assert (await client.get(f"/hls/live/{name}")).status == 200


async def test_a_token_goes_along_and_no_cache_keeps_it(dash: tuple[Client, Driver]) -> None:
    client, _ = dash
    response = await client.get("/dash/private/~secret/manifest.mpd")
    assert response.headers["Cache-Control"] == "private, no-store"
    assert "<BaseURL>/hls/private/~secret/</BaseURL>" in await response.text()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/dash/created/manifest.mpd", "no_media_yet"),
        ("/dash/private/~wrong/manifest.mpd", "not_found"),
        ("/dash/nobody/manifest.mpd", "not_found"),
        ("/dash/live/else.mpd", "not_found"),
        ("/hls/live/720p/1-99999.m4s", "not_found"),
        ("/hls/live/720p/77-0.m4s", "not_found"),
    ],
)
async def test_what_is_not_there_is_404(dash: tuple[Client, Driver], path: str, code: str) -> None:
    client, _ = dash
    response = await client.get(path)
    assert (response.status, (await response.json())["code"]) == (404, code)


async def test_what_time_it_is(dash: tuple[Client, Driver]) -> None:
    client, _ = dash
    response = await client.get("/dash/time")
    assert await response.text() == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_790_000_000)) + ".250Z"
    assert response.headers["Cache-Control"] == "no-store"


async def test_an_open_segment_is_sent_as_it_comes(dash: tuple[Client, Driver]) -> None:
    client, driver = dash
    view = driver.output.view("720p")
    assert view is not None
    open_segment = view.segments[-1]
    assert not open_segment.is_complete
    address = f"/hls/live/720p/{open_segment.generation}-{open_segment.msn}.m4s"
    response = await client.get(address)
    assert response.status == 200
    assert "Content-Length" not in response.headers
    first = await response.content.readany()
    assert first[4:8] == b"moof"
    driver.lose(driver.output.timeline.position)
    rest = await asyncio.wait_for(response.content.read(), 5)
    whole = await (await client.get(address)).read()
    assert first + rest == whole


async def test_manifests_are_compressed(dash: tuple[Client, Driver]) -> None:
    client, _ = dash
    response = await client.get("/dash/live/manifest.mpd", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(gzip.compress(await response.read())) < 2000
