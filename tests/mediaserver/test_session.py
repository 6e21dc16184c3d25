"""Session: publishers come and go, one at a time, and graces run out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from hls.config import HlsConfig
from media.error import PeerError, StreamError
from media.packet import Packet
from mediaserver.live import preview as preview_module
from mediaserver.live.broadcast import Broadcast
from mediaserver.live.keyframe_memory import KeyframeHabit
from mediaserver.live.load import Load
from mediaserver.live.preview import Preview, preview_config
from mediaserver.live.session import Graces, Publication, Session
from mediaserver.live.takeover import MAX_TAKEOVERS

from .scene import AAC_48, NOW, MakeScene, Scene, Source, sized

NEVER_S = 3600.0
SOON_S = 0.01
CLOCK_S = 50.0


@dataclass
class Room:
    """A session with what it has been heard to say."""

    session: Session
    scene: Scene
    expired: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    kicked: list[str] = field(default_factory=list)
    habit: KeyframeHabit = field(default_factory=KeyframeHabit)
    """Of the key that all publishers use."""

    def join(self, name: str = "first", *, closes: bool = False) -> Publication:
        """Connect a publisher; `closes` for one whose kick ends it within the call."""

        def kick(reason: str) -> None:
            self.kicked.append(f"{name}: {reason}")
            if closes:
                publication.close(clean=False, reason="the connection was lost")

        publication = Publication(self.session, name, "test", kick, self.habit)
        self.session.attach(publication)
        return publication

    def go_live(self, *, resumed: bool = False) -> None:
        self.session.go_live(lambda: self.scene.broadcast, resumed=resumed)

    async def has_expired(self) -> bool:
        for _ in range(100):
            if self.expired:
                return True
            await asyncio.sleep(0.001)
        return False


class MakeRoom:
    def __init__(self, make_scene: MakeScene) -> None:
        self._make_scene = make_scene

    def __call__(self, **graces: float | None) -> Room:
        scene = self._make_scene()
        seconds: dict[str, float | None] = {"reconnect_s": NEVER_S, "stop_s": NEVER_S, "start_s": NEVER_S}
        expired: list[str] = []
        errors: list[str] = []
        lost: list[str] = []
        session = Session(
            "room",
            graces=Graces(**seconds | graces),
            on_expired=expired.append,
            on_error=errors.append,
            on_lost=lost.append,
            load=Load(),
            preview=Preview("room", preview_config(HlsConfig()), lambda: NOW),
            clock=lambda: CLOCK_S,
        )
        return Room(session, scene, expired, errors, lost)


@pytest.fixture
def make_room(make_scene: MakeScene) -> MakeRoom:
    return MakeRoom(make_scene)


def send(publication: Publication, source: Source, frames: int) -> None:
    for packet in source.run(frames):
        publication.receive(packet)


async def test_first_encoder_has_its_grace(make_room: MakeRoom) -> None:
    room = make_room(start_s=SOON_S)
    room.go_live()
    assert await room.has_expired()
    assert room.expired == ["no encoder connected after the start"]


async def test_renditions_that_were_announced_before_the_start_are_waited_for(make_room: MakeRoom) -> None:
    room = make_room()
    publication = room.join()
    publication.receive_metadata({"videoTrackIdInfoMap": {"1": {}}})
    room.go_live()
    source = Source()
    send(publication, source, 10)
    assert not room.scene.broadcast.has_media
    send(publication, source, 10)
    assert room.scene.broadcast.has_media


async def test_resumed_stream_waits_as_for_a_lost_encoder(make_room: MakeRoom) -> None:
    room = make_room(reconnect_s=SOON_S)
    room.go_live(resumed=True)
    assert await room.has_expired()


@pytest.mark.parametrize(
    ("clean", "grace", "words"),
    [(True, "stop_s", "stopped"), (False, "reconnect_s", "lost")],
    ids=["clean stop", "lost connection"],
)
async def test_graces_of_a_publisher_who_left(
    make_room: MakeRoom, clean: bool, grace: str, words: str
) -> None:
    room = make_room(**{grace: SOON_S})
    room.go_live()
    publication = room.join()
    send(publication, Source(), 60)
    publication.close(clean, "the connection was lost")
    assert not room.scene.broadcast.has_media
    assert await room.has_expired()
    assert words in room.expired[0]
    slate = room.scene.broadcast.slate_request()
    assert slate is not None
    assert slate.caption == ("Paused" if clean else "Reconnecting …")
    assert room.errors == room.lost == ([] if clean else ["the connection was lost"])


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (
            {"encoder": "obs-output module (libobs version 29.0.2)"},
            "obs-output module (libobs version 29.0.2)",
        ),
        ({"encoder": "x" * 500}, "x" * 100),
        ({"encoder": "two\nlines"}, "FMLE/3.0"),
        ({"encoder": 7}, "FMLE/3.0"),
        ({}, "FMLE/3.0"),
    ],
)
async def test_the_encoders_name_is_the_one_it_says_later(
    make_room: MakeRoom, said: dict[str, object], name: str
) -> None:
    publication = make_room().join()
    publication.encoder = "FMLE/3.0"
    publication.receive_metadata(said)
    assert publication.encoder == name


async def test_a_stream_may_be_kept_until_its_owner_ends_it(make_room: MakeRoom) -> None:
    room = make_room(start_s=SOON_S, reconnect_s=None)
    room.go_live()
    publication = room.join()
    send(publication, Source(), 60)
    publication.close(clean=False, reason="the connection was lost")
    assert not await room.has_expired()


async def test_coming_back_stops_the_grace(make_room: MakeRoom) -> None:
    room = make_room(reconnect_s=SOON_S, start_s=SOON_S, stop_s=SOON_S)
    room.go_live()
    for clean in (True, False):
        publication = room.join()
        publication.close(clean, "the connection was lost")
    room.join("second")
    await asyncio.sleep(3 * SOON_S)
    assert room.expired == []


async def test_takeover_sends_the_first_away_and_ignores_it(make_room: MakeRoom) -> None:
    room = make_room(reconnect_s=SOON_S)
    room.go_live()
    first = room.join("first", closes=True)
    send(first, Source(), 60)
    second = room.join("second")
    assert room.kicked == ["first: another encoder has connected with the same stream key and has taken over"]
    before = room.scene.output.timeline.position
    send(first, Source(number=60), 60)
    assert room.scene.output.timeline.position == before
    send(second, Source(origin=0), 60)
    first.close(clean=True, reason="")
    assert room.session.publication is second
    assert room.scene.broadcast.has_media
    await asyncio.sleep(3 * SOON_S)
    assert room.expired == []
    assert room.scene.discontinuities("144p") == [2]


async def test_renditions_without_an_announcement_make_no_break_after_a_preview(make_room: MakeRoom) -> None:
    room = make_room()
    publication = room.join()
    main = Source(video=sized(1280, 720))
    send(publication, main, 50)
    room.go_live()
    for packet in main.run(120):
        publication.receive(packet)
        if packet.is_video:
            publication.receive(replace(packet, track=sized(640, 360), track_id=1))
    assert {state.name: state.kind for state in room.scene.broadcast.rungs.states}["360p"] == "copied"
    assert room.scene.discontinuities("720p") == []


async def test_encoders_that_take_turns_are_stopped(make_room: MakeRoom) -> None:
    room = make_room()
    for number in range(1 + MAX_TAKEOVERS):
        room.join(f"10.0.0.{number % 2}:5000")
    with pytest.raises(StreamError, match="take turns") as refused:
        room.join("10.0.0.2:5000")
    assert refused.value.code == "taking_turns"
    assert "10.0.0.1:5000 stays connected" in refused.value.detail
    assert room.session.publication is not None
    assert room.session.publication.peer == "10.0.0.1:5000"
    assert len(room.kicked) == MAX_TAKEOVERS


async def test_preview_is_not_published(make_room: MakeRoom) -> None:
    room = make_room()
    publication = room.join()
    source = Source()
    send(publication, source, 70)
    room.go_live()
    assert room.session.is_live
    send(publication, source, 29)
    assert room.scene.output.multivariant() is None, "the broadcast begins with a keyframe"
    send(publication, source, 30)
    assert room.scene.broadcast.has_media, "audio is known from the preview"
    frames = await room.scene.frames("360p")
    assert frames[0] == "copy@0!"


async def test_preview_ends_with_the_start_and_is_forgotten(
    make_room: MakeRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview_module, "LINGER_S", SOON_S)
    room = make_room()
    publication, source = room.join(), Source()
    send(publication, source, 70)
    preview = room.session.preview
    assert preview.output is not None
    view = preview.output.view("source")
    assert view is not None
    assert not view.is_ended
    room.go_live()
    ended = preview.output.view("source")
    assert ended is not None
    assert ended.is_ended
    send(publication, source, 70)
    after = preview.output.view("source")
    assert after is not None
    assert after.version == ended.version, "nothing of the broadcast is added"
    assert room.scene.broadcast.has_media
    first = room.scene.view("360p").segments[0]
    assert (first.msn, first.is_discontinuity) == (0, False), "nothing of the preview has been there"
    async with asyncio.timeout(5):
        while preview.output is not None:  # noqa: ASYNC110 - the timer of the loop frees it
            await asyncio.sleep(SOON_S)


async def test_previews_follow_the_publishers(make_room: MakeRoom) -> None:
    room = make_room()
    outputs = []
    for name in ("first", "second"):
        publication = room.join(name, closes=True)
        send(publication, Source(), 60)
        outputs.append(room.session.preview.output)
        if name == "second":
            publication.close(clean=False, reason="the connection was lost")
    assert None not in outputs
    assert outputs[0] is not outputs[1]
    ended = [view.is_ended for output in outputs if output is not None and (view := output.view("source"))]
    assert ended == [True, True]


async def test_preview_of_a_cancelled_stream_ends(make_room: MakeRoom) -> None:
    room = make_room()
    publication = room.join()
    source = Source()
    send(publication, source, 60)
    await room.session.end("cancelled")
    output = room.session.preview.output
    assert output is not None
    view = output.view("source")
    assert view is not None
    assert view.is_ended
    send(publication, source, 60)
    assert room.session.preview.output is output


async def test_preview_that_cannot_be_shown_costs_no_connection(make_room: MakeRoom) -> None:
    room = make_room()
    publication = room.join()
    for packet in Source().run(300):
        publication.receive(
            replace(packet, dts=0, pts=0, is_keyframe=packet.is_keyframe and packet.dts == 450_000)
        )
    assert room.session.preview.warnings
    assert room.kicked == []


async def test_preview_that_leaves_costs_no_grace(make_room: MakeRoom) -> None:
    room = make_room(stop_s=SOON_S, reconnect_s=SOON_S)
    room.join().close(clean=True, reason="")
    await asyncio.sleep(2 * SOON_S)
    assert room.expired == []
    room.go_live()
    assert room.session.is_live


async def test_going_live_twice_is_once(make_room: MakeRoom) -> None:
    room = make_room()
    room.go_live()
    publication = room.join()
    send(publication, Source(), 60)
    room.go_live()
    assert room.scene.broadcast.has_media


async def test_end_closes_everything_once(make_room: MakeRoom) -> None:
    room = make_room(reconnect_s=SOON_S, stop_s=SOON_S)
    room.go_live()
    publication = room.join(closes=True)
    source = Source()
    send(publication, source, 60)
    await asyncio.gather(room.session.end("owner"), room.session.end("again"))
    assert room.kicked == ["first: the stream has ended: owner"]
    assert room.scene.view("360p").is_ended
    assert room.scene.encoder.is_closed
    position = room.scene.output.timeline.position
    send(publication, source, 60)
    assert room.scene.output.timeline.position == position
    publication.close(clean=True, reason="")
    await asyncio.sleep(3 * SOON_S)
    assert room.expired == []
    assert not room.session.is_live


async def test_end_while_a_flush_is_pending(make_room: MakeRoom) -> None:
    room = make_room()
    room.go_live()
    publication = room.join()
    room.scene.encoder.is_slow = True
    send(publication, Source(), 60)
    publication.close(clean=True, reason="")
    ending = asyncio.create_task(room.session.end("owner"))
    await asyncio.sleep(0.005)
    assert not ending.done()
    room.scene.encoder.work()
    await asyncio.wait_for(ending, 0.5)
    assert room.scene.gaps("144p") == []
    assert len(await room.scene.frames("144p")) == 60


async def test_end_of_a_grace(make_room: MakeRoom) -> None:
    room = make_room(start_s=SOON_S)
    room.go_live()
    await room.session.end("owner")
    await asyncio.sleep(2 * SOON_S)
    assert room.expired == []
    assert room.scene.output.multivariant() is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PeerError("it is torn"), "the media cannot be used: it is torn"),
        (RuntimeError("secret details"), "the server failed on this media; it has been logged"),
    ],
    ids=["of the peer", "of the server"],
)
@pytest.mark.parametrize("closes", [True, False], ids=["closes at once", "closes later"])
async def test_fault_kicks_its_publisher_once(
    make_room: MakeRoom, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str, closes: bool
) -> None:
    room = make_room(reconnect_s=SOON_S)
    room.go_live()
    publication = room.join(closes=closes)
    source = Source()
    send(publication, source, 60)

    def fail(packet: Packet) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Broadcast, "receive", lambda self, packet: fail(packet))
        send(publication, source, 10)
    assert room.kicked == [f"first: {words}"]
    publication.close(clean=False, reason="the connection was lost")
    send(room.join("second"), Source(), 60)
    assert room.scene.broadcast.has_media
    room.scene.assert_aligned()
    assert room.scene.gaps("144p") == []


async def test_fault_at_the_end_of_a_run_does_not_cost_the_grace(
    make_room: MakeRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = make_room(reconnect_s=SOON_S)
    room.go_live()
    publication = room.join()

    def fail(self: Broadcast) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Broadcast, "end_source", fail)
    publication.close(clean=False, reason="the connection was lost")
    assert await room.has_expired()


async def test_publication_remembers_its_newest_audio(make_room: MakeRoom) -> None:
    publication = make_room().join()
    packet = next(Source(video=None).run(1))
    publication.receive(packet)
    mono = replace(AAC_48, channels=1)
    publication.receive(replace(packet, track=mono))
    assert publication.audio == mono
    publication.receive_metadata({"lies": True})
    await publication.ready()
