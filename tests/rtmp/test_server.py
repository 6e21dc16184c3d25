from __future__ import annotations

import asyncio
import errno
import time
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from media.error import ConfigError
from rtmp.channel import Channel
from rtmp.handshake import HTTP_ANSWER
from rtmp.limit import RtmpLimits
from rtmp.peer import HELD_BACK_BYTES, STALL_S, Peer
from rtmp.server import RtmpServer
from tests.rtmp.client import HELLO, IDR, SLICE, audio_frame, video_frame, video_header
from tests.rtmp.encoder import CONFIG, Connect
from tests.rtmp.gate import RecordingGate


async def test_media_reaches_the_publication(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish("key?token=x")
    publication = await gate.next_publication()
    await encoder.send(encoder.client.data("onMetaData", {"encoder": "OBS"}))
    await encoder.send_media(3)
    await encoder.send(encoder.client.command("FCUnpublish", 6, None, "key"))
    assert await publication.closed is True
    assert publication.reason == "the encoder stopped"
    assert (len(publication.video), len(publication.audio)) == (3, 1)
    assert publication.metadata == [{"encoder": "OBS"}]
    (request,) = gate.requests
    assert (request.app, request.stream_key, request.query, request.encoder) == (
        "live",
        "key",
        "token=x",
        "FMLE/3.0",
    )
    assert request.peer.startswith("127.0.0.1:")


async def test_lost_connection_is_no_clean_end(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    encoder.abort()
    assert await publication.closed is False
    assert publication.reason == "the connection was lost"


async def test_refusal_is_explained_to_the_encoder_and_logged_once(
    connect: Connect, server: RtmpServer
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.publish("bad")
        await encoder.send(bytes(100_000))  # what is still under way must not reset the connection
        assert await encoder.last_words() == ("NetStream.Publish.BadName", "this stream key is not known")
    refusals = [entry for entry in logs if entry["event"] == "rtmp refused"]
    assert [(entry["log_level"], entry["reason"]) for entry in refusals] == [
        ("info", "this stream key is not known")
    ]
    assert refusals[0]["connection"] == 1


async def test_kick_is_explained(connect: Connect, server: RtmpServer, gate: RecordingGate) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.kick("another encoder took over")
    publication.kick("too late")
    assert await encoder.last_words() == ("NetStream.Publish.Rejected", "another encoder took over")
    assert await publication.closed is False
    assert publication.reason == "another encoder took over"


async def test_kick_while_not_ready(connect: Connect, server: RtmpServer, gate: RecordingGate) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.is_ready.clear()
    await encoder.send_media()
    publication.kick("stream ended")
    assert (await encoder.last_words())[1] == "stream ended"


async def test_full_publication_stops_the_reading(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.is_ready.clear()
    frame = encoder.client.set_chunk_size(1 << 20) + encoder.client.video(video_frame(IDR + bytes(1 << 20)))
    await encoder.send(encoder.client.video(video_header(CONFIG)))
    sending = asyncio.create_task(encoder.send(*[frame] * 64))
    done, _ = await asyncio.wait({sending}, timeout=0.3)
    assert not done
    assert len(publication.video) < 16
    publication.is_ready.set()
    await sending
    encoder.abort()
    await publication.closed


async def test_media_ahead_of_time_is_held_back_and_that_is_not_the_encoders_silence(
    connect: Connect, gate: RecordingGate
) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(idle_timeout_s=0.2, linger_s=0.1))
    await server.start()
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.holds_s = [0.4, 0.4]
    await encoder.send_media(2)
    await encoder.send_media(2)
    await publication.until(lambda: len(publication.video) == 4)
    assert publication.reason == ""
    await encoder.send(encoder.client.command("FCUnpublish", 6, None, "key"))
    assert await publication.closed is True
    assert len(publication.video) == 4
    await server.close()


async def test_media_ahead_of_time_comes_in_small_pieces(
    connect: Connect, server: RtmpServer, gate: RecordingGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a slow stream, of which one read holds seconds, comes to viewers in bursts of seconds."""
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    seen = [0]

    def hold_s() -> float:
        seen.append(len(publication.video))
        return 0.001

    monkeypatch.setattr(publication, "hold_s", hold_s)
    frame = encoder.client.video(video_frame(IDR + bytes(HELD_BACK_BYTES // 2)))
    await encoder.send(encoder.client.video(video_header(CONFIG)), *[frame] * 40)
    await publication.until(lambda: len(publication.video) == 40)
    steps = [after - before for before, after in pairwise(seen)]
    assert max(steps[-10:]) <= 2


async def test_publication_that_stays_full_loses_media_up_to_a_keyframe(
    connect: Connect, gate: RecordingGate
) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(max_pause_s=0.02, linger_s=0.1))
    await server.start()
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    await encoder.send_media()
    await publication.until(lambda: len(publication.packets) == 2)
    publication.is_ready.clear()
    client = encoder.client
    # The first message is still taken: only then does the server see that it was one too many.
    await encoder.send(client.data("onMetaData", {"n": 1.0}))
    await publication.until(lambda: len(publication.metadata) == 1)
    frames = [
        client.video(video_frame(IDR), 40),
        client.video(video_frame(SLICE), 80),
        client.audio(audio_frame(), 80),
    ]
    await encoder.send(*frames, client.data("onMetaData", {"n": 2.0}))
    await publication.until(lambda: len(publication.metadata) == 2)
    assert len(publication.packets) == 2
    with capture_logs() as logs:
        publication.is_ready.set()
        await encoder.send(client.video(video_frame(SLICE), 120), client.data("onMetaData", {"n": 3.0}))
        await publication.until(lambda: len(publication.metadata) == 3)
        assert publication.dropped == []
        await encoder.send(client.video(video_frame(IDR), 160), client.video(video_frame(SLICE), 200))
        await publication.until(lambda: len(publication.packets) == 4)
    assert publication.dropped == [4]
    assert [packet.dts // 90 for packet in publication.video] == [0, 160, 200]
    assert [(entry["event"], entry["packets"]) for entry in logs] == [
        ("rtmp packets dropped, the server was too slow", 4)
    ]
    await server.close()


async def test_publication_that_ends_while_it_is_full(connect: Connect, gate: RecordingGate) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(max_pause_s=0.02, linger_s=0.1))
    await server.start()
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    publication.is_ready.clear()
    await encoder.send_media(3)
    await encoder.send(encoder.client.command("deleteStream", 6, None, 1))
    assert await publication.closed is True
    assert len(publication.packets) + sum(publication.dropped) == 4
    await server.close()


async def test_faulty_publisher_harms_nobody_else(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    good = await connect(server)
    await good.publish("good")
    publication = await gate.next_publication()
    bad = await connect(server)
    with capture_logs() as logs:
        await bad.publish("other")
        other = await gate.next_publication()
        await bad.send(bad.client.video(video_header(CONFIG[:9])))
        code, words = await bad.last_words()
    assert (code, "avcC" in words) == ("NetConnection.Call.Failed", True)
    assert "exc_info" not in str(logs)
    assert other.reason == words
    await good.send_media()
    await good.send(good.client.command("deleteStream", 6, None, 1))
    assert await publication.closed is True
    assert len(publication.video) == 1


async def test_fault_of_the_gate_is_logged_with_its_trace_and_ends_that_connection(
    connect: Connect,
    server: RtmpServer,
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.publish("bug")
        assert (await encoder.last_words())[1] == "the server failed; it has been logged"
    assert [entry["exc_info"] for entry in logs if entry["log_level"] == "error"] == [True]


@pytest.mark.parametrize("is_clean", [True, False])
async def test_fault_at_the_end_of_a_publication_closes_the_connection(
    connect: Connect, server: RtmpServer, gate: RecordingGate, is_clean: bool
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.publish()
        publication = await gate.next_publication()
        publication.has_fault = True
        if is_clean:
            await encoder.send(encoder.client.command("deleteStream", 6, None, 1))
        else:
            publication.kick("go away")
        await encoder.read_to_end()
    assert await publication.closed is is_clean
    assert [entry["exc_info"] for entry in logs if entry["log_level"] == "error"] == [True]


@pytest.mark.parametrize(
    ("data", "answer", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_ANSWER, "HTTP request"),
        (b"\x16\x03\x01\x02\x00", b"", "TLS"),
        (b"\xde\xad\xbe\xef" * 1000, b"", "not an RTMP handshake"),
    ],
    ids=["HTTP", "TLS", "garbage"],
)
async def test_other_protocols(
    connect: Connect, server: RtmpServer, data: bytes, answer: bytes, words: str
) -> None:
    with capture_logs() as logs:
        encoder = await connect(server)
        await encoder.send(data)
        assert await encoder.read_to_end() == answer
    assert [words in entry["reason"] for entry in logs] == [True]
    assert logs[0]["log_level"] == "info"


async def test_connections_of_an_address_are_bounded(connect: Connect, server: RtmpServer) -> None:
    encoders = [await connect(server) for _ in range(3)]
    for encoder in encoders:
        await encoder.send(HELLO)
    with capture_logs() as logs:
        fourth = await connect(server)
        assert await fourth.read_to_end() == b""
    assert logs[0]["reason"] == "too many connections from this address"


async def test_connections_altogether_are_bounded(connect: Connect, gate: RecordingGate) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(max_connections=0))
    await server.start()
    encoder = await connect(server)
    assert await encoder.read_to_end() == b""
    await server.close()


@pytest.mark.parametrize(
    ("limits", "is_publishing", "words"),
    [
        (RtmpLimits(handshake_timeout_s=0.05, linger_s=0.1), False, "no RTMP handshake within 0.05 s"),
        (
            RtmpLimits(first_media_timeout_s=0.05, linger_s=0.1),
            True,
            "no audio or video after the publish within 0.05 s",
        ),
        (RtmpLimits(publish_timeout_s=0.05, linger_s=0.1), False, "no publish within 0.05 s"),
    ],
)
async def test_silent_peer_is_let_go(
    connect: Connect, gate: RecordingGate, limits: RtmpLimits, is_publishing: bool, words: str
) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, limits)
    await server.start()
    with capture_logs() as logs:
        encoder = await connect(server)
        if is_publishing:
            await encoder.publish()
            assert (await encoder.last_words())[1] == words
            assert await gate.publications[0].closed is False
            assert gate.publications[0].reason == words
        else:
            if "handshake" not in words:
                await encoder.send(HELLO)
            await encoder.read_to_end()
    assert [entry["reason"] for entry in logs if entry["event"] == "rtmp refused"] == [words]
    await server.close()


async def test_half_open_connection_is_found_by_its_silence(connect: Connect, gate: RecordingGate) -> None:
    """The encoder has lost its network: no FIN comes, the socket only falls silent."""
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(idle_timeout_s=0.05, linger_s=0.1))
    await server.start()
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    await encoder.send_media()
    assert await publication.closed is False
    assert publication.reason == "no audio or video within 0.05 s"
    assert RtmpLimits().idle_timeout_s <= 10
    await server.close()


async def test_machine_that_stood_still_reads_before_it_judges(connect: Connect, gate: RecordingGate) -> None:
    """All time that an encoder may be silent has passed, and nobody has looked what waits in the socket."""
    limits = RtmpLimits(idle_timeout_s=0.3, linger_s=0.1)
    server = RtmpServer(gate, "127.0.0.1", 0, limits)
    await server.start()
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    await encoder.send_media()
    await publication.until(lambda: len(publication.video) == 1)
    await encoder.send_media()
    time.sleep(2 * (limits.idle_timeout_s + STALL_S))  # noqa: ASYNC251  # this is the machine that stands still
    await publication.until(lambda: len(publication.video) == 2)
    assert not publication.closed.done()
    assert await publication.closed is False
    assert publication.reason == "no audio or video within 0.3 s"
    await server.close()


async def test_connection_that_the_system_gives_up_is_lost(gate: RecordingGate) -> None:
    """ETIMEDOUT is a TimeoutError too, but not that of our timers, and comes again with every read."""
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    reader.set_exception(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))
    channel = Channel(reader, writer, None)
    peer = Peer(channel, gate, address="peer", number=1, limits=RtmpLimits(), clock=time.monotonic)
    with capture_logs() as logs:
        await asyncio.wait_for(peer.run(), 5)
    assert [(entry["event"], entry["reason"]) for entry in logs] == [
        ("rtmp connection lost", "Connection timed out")
    ]
    listener.close()


async def test_bitrate_is_bounded(connect: Connect, gate: RecordingGate) -> None:
    limits = RtmpLimits(max_bitrate_bps=1e6, bitrate_window_s=1, linger_s=0.5)
    server = RtmpServer(gate, "127.0.0.1", 0, limits)
    await server.start()
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    await encoder.send_media()
    await encoder.send(encoder.client.video(video_frame(IDR + bytes(1 << 19))))
    words = "the stream has more than 1 Mbit/s: lower the bitrate of the encoder"
    assert await encoder.last_words() == ("NetStream.Publish.Rejected", words)
    assert await publication.closed is False
    assert publication.reason == words
    await server.close()


async def test_peer_that_never_reads_is_let_go(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    call = encoder.client.command("_checkbw", 9, None)
    with capture_logs() as logs:
        try:
            for _ in range(200):
                await encoder.send(call * 1000)
                if publication.closed.done():
                    break
        except ConnectionError:
            pass
        assert await publication.closed is False
    assert [entry["reason"] for entry in logs if "reason" in entry] == [
        "the peer does not read what it is answered"
    ]


async def test_closing_the_server_says_goodbye(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    encoder = await connect(server)
    await encoder.publish()
    publication = await gate.next_publication()
    closing = asyncio.create_task(server.close())
    assert (await encoder.last_words())[1] == "the server is shutting down"
    await closing
    assert await publication.closed is False
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(server)


async def test_encoder_that_can_connect_anew_is_asked_to(
    connect: Connect, server: RtmpServer, gate: RecordingGate
) -> None:
    able, other = await connect(server), await connect(server)
    await able.publish("able", caps_ex=1.0)
    publication = await gate.next_publication()
    await other.publish("other", caps_ex=2.0)
    closing = asyncio.create_task(server.close())
    await able.wait_for(b"NetConnection.Connect.ReconnectRequest")
    assert (await other.last_words())[1] == "the server is shutting down"
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(server)
    await able.send_media(2)
    await publication.until(lambda: len(publication.packets) == 3)
    assert not closing.done()
    await able.send(able.client.command("deleteStream", 6, None, 1))
    assert await publication.closed is False
    assert publication.reason == "the encoder was asked to connect anew and has left"
    await able.close()
    await closing


async def test_encoder_that_was_asked_and_stays_is_closed(connect: Connect, gate: RecordingGate) -> None:
    server = RtmpServer(gate, "127.0.0.1", 0, RtmpLimits(drain_s=0.05, linger_s=0.5))
    await server.start()
    encoder = await connect(server)
    await encoder.publish(caps_ex=15.0)
    publication = await gate.next_publication()
    closing = asyncio.create_task(server.close())
    assert await encoder.last_words() == ("NetStream.Publish.Rejected", "the server is shutting down")
    await closing
    assert publication.reason == "the server is shutting down"


async def test_port_in_use_is_one_sentence(server: RtmpServer, gate: RecordingGate) -> None:
    second = RtmpServer(gate, "127.0.0.1", server.port)
    with pytest.raises(ConfigError, match=r"RTMP_PORT=\d+: cannot listen for RTMP on 127.0.0.1: .*in use"):
        await second.start()
    await second.close()


async def test_host_that_does_not_exist(gate: RecordingGate) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen for RTMP on no\.such\.host\.invalid: [A-Z]"):
        await RtmpServer(gate, "no.such.host.invalid", 0).start()
