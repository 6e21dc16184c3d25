"""Bad input for WHEP and at the UDP port of the real server, while somebody watches."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from pathlib import Path

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection

from .server import NEW_FFMPEG, STEADY, Server, encoder_args, running, running_server
from .whep_player import AiortcPlayer, server_of

OFFERS = 200
FREED_S = 10
"""A viewer that has not connected by then never will."""
CALM_S = 1.5
"""Longest time without a picture for who watches meanwhile; half a second on a machine that has nothing else to do."""


async def test_nobody_notices_bad_input(tmp_path: Path) -> None:
    async with (
        running_server(tmp_path, STEADY) as server,
        httpx.AsyncClient(base_url=server.http_url, timeout=30) as client,
    ):
        stream = await server.create_stream()
        path = f"/webrtc/{stream['id']}"
        offer = await make_offer()
        assert (await post(client, path, offer)).status_code == 409
        async with running(NEW_FFMPEG, *encoder_args(server.publish_url(stream))):
            await server.wait_for(f"/hls/{stream['id']}/master.m3u8")
            player = AiortcPlayer(server.http_url)
            answer = await player.watch(stream["id"])
            await player.picture()
            watching = asyncio.create_task(player.longest_gap_s(FREED_S + 5))
            await require_refusals(client, path, offer)
            await throw_garbage(server_of(answer), seed=8)
            sessions = await crowd(client, path, offer)
            await asyncio.sleep(FREED_S)
            await wait_until_freed(server, client, sessions)
            assert await watching < CALM_S
            assert (await counters(server))["viewers"] == 1
            await player.close()


async def make_offer() -> str:
    """Make the offer of somebody who watches."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in ("video", "audio"):
        connection.addTransceiver(kind, direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    sdp: str = connection.localDescription.sdp
    await connection.close()
    return sdp


async def post(
    client: httpx.AsyncClient, path: str, body: str | bytes, kind: str = "application/sdp"
) -> httpx.Response:
    return await client.post(path, content=body, headers={"Content-Type": kind})


async def require_refusals(client: httpx.AsyncClient, path: str, offer: str) -> None:
    """Send what is no offer, or none that can be served."""
    for body in ("", "v=0", "v=0\r\nnonsense\r\n", "\0" * 100, offer[: len(offer) // 4], "{}"):
        refused = await post(client, path, body)
        assert refused.status_code in (400, 422), (body, refused.status_code)
        assert refused.headers["content-type"] == "application/problem+json"
    assert (await post(client, path, b"\xff\xfe\xfd")).status_code in (400, 422)
    assert (await post(client, path, offer.replace("a=fingerprint", "a=nothing"))).status_code in (400, 422)
    assert (await post(client, path, "v=0\r\n" + "a=x\r\n" * 100_000)).status_code == 413
    assert (await post(client, path, offer, "text/plain")).status_code == 415
    assert (await post(client, "/webrtc/nothing", offer)).status_code == 404
    countered = await post(client, path, offer.replace("H264/90000", "H265/90000"))
    assert countered.status_code == 406
    assert "H264/90000" in countered.text
    assert (await client.delete(countered.headers["location"])).status_code == 200


async def throw_garbage(address: tuple[str, int], seed: int) -> None:
    """Send random datagrams of all sizes, some that begin as STUN, DTLS and RTP do."""
    chance = random.Random(seed)  # noqa: S311
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(3000):
            data = bytearray(chance.randbytes(chance.randrange(1, 1500)))
            data[0] = chance.choice((0, 1, 20, 22, 23, 63, 128, 144, 200, 255))
            if number % 3 == 0 and len(data) > 20:
                data[:8] = bytes((0, 1, 0, len(data) - 20 & 0xFC, 0x21, 0x12, 0xA4, 0x42))
            sock.sendto(data, address)
            if number % 50 == 0:
                await asyncio.sleep(0)


async def crowd(client: httpx.AsyncClient, path: str, offer: str) -> list[str]:
    """Send many offers at once of viewers who never come; returns the sessions."""
    answers = await asyncio.gather(*(post(client, path, offer) for _ in range(OFFERS)))
    found = Counter(answer.status_code for answer in answers)
    assert found[201] > 0
    assert set(found) <= {201, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    return [answer.headers["location"] for answer in answers if answer.status_code == 201]


async def counters(server: Server) -> dict[str, int]:
    """Return what WebRTC processes have counted."""
    lines = (await server.request("/metrics")).text.splitlines()
    found = [line.split('"') for line in lines if line.startswith("webrtc_events_total{")]
    return {name: int(float(rest.removeprefix("}"))) for _, name, rest in found}


async def wait_until_freed(server: Server, client: httpx.AsyncClient, sessions: list[str]) -> None:
    async with asyncio.timeout(10):
        while (await counters(server)).get("sessions_ended", 0) < len(sessions):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    for session in sessions[::50]:
        assert (await client.get(session)).status_code == 404
