"""Stage: who is on the air, with the real services and the real database behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from control_api.postgres.store import PostgresStore
from control_api.stream.health import StreamHealthAnswer
from control_api.stream.playback import PlaybackSigner
from control_api.stream.record import Status, Stream
from control_api.stream.service import StreamService
from hls.config import HlsConfig
from media.error import StreamError
from mediaserver.live import ended as ended_module
from mediaserver.live.checkpoint import CheckpointStore
from mediaserver.live.preview import NO_ENCODER, NO_KEYFRAME
from mediaserver.live.session import Graces, Publication
from mediaserver.live.stage import Stage
from mediaserver.live.takeover import MAX_TAKEOVERS
from rtmp.port import PublishRequest
from transcode.supervisor import WorkerPool

from .scene import NOW, VIDEO, Encoder, MakeScene, Source

SOON_S = 0.01
NEVER_S = 3600.0
SIGNER = PlaybackSigner(b"a secret of the tests, long enough")


@dataclass
class House:
    stage: Stage
    service: StreamService
    folder: Path
    kicked: list[str] = field(default_factory=list)

    async def create(self, *, start: bool = True, **fields: object) -> Stream:
        stream = await self.service.create("demo", {"title": "a show", **fields})
        return await self.service.start(stream.id) if start else stream

    async def publish(self, stream: Stream) -> Publication:
        request = PublishRequest("live", stream.stream_key, "", "10.0.0.1:5000", "an encoder")
        return await self.stage.publish(request, self.kicked.append)

    async def status(self, stream: Stream) -> Status:
        return (await self.service.get(stream.id)).status

    async def has_status(self, stream: Stream, status: Status) -> bool:
        for _ in range(200):
            if await self.status(stream) is status:
                return True
            await asyncio.sleep(0.001)
        return False


def make_stage(folder: Path, grace_s: float = NEVER_S) -> Stage:
    return Stage(
        HlsConfig(),
        WorkerPool(),
        CheckpointStore(folder / "live"),
        graces=Graces(grace_s, grace_s, grace_s),
        wanted=None,
        slate_after_s=NEVER_S,
        playback=SIGNER,
        wall_clock=lambda: NOW,
    )


async def open_house(store: PostgresStore, folder: Path, grace_s: float = NEVER_S) -> House:
    stage = make_stage(folder, grace_s)
    service = StreamService(store, store, stage, min_followers=0)
    await stage.open(service)
    return House(stage, service, folder)


@pytest.fixture
async def house(make_scene: MakeScene, store: PostgresStore, tmp_path: Path) -> AsyncIterator[House]:
    house = await open_house(store, tmp_path)
    yield house
    await house.stage.close()


def send(publication: Publication, frames: int = 60, source: Source | None = None) -> None:
    for packet in (source or Source()).run(frames):
        publication.receive(packet)


_NO_RUNGS = {
    "transcode": {
        "speed": None,
        "lag_s": None,
        "cost": None,
        "restarts": 0,
        "skipped_gops": 0,
        "encoders_failed": [],
    },
    "rungs": [],
    "on_slate": False,
    "rewind": {"available_s": 0.0, "disk_bytes": 0},
}


async def test_main_path(house: House) -> None:
    stream = await house.create()
    assert house.stage.media(stream.id) == {"connected": False}
    assert house.stage.has_broadcasts
    output = house.stage.find(stream.id)
    assert output is not None
    assert output.multivariant() is None
    publication = await house.publish(stream)
    assert house.stage.media(stream.id) == {
        "connected": True,
        "encoder": "an encoder",
        "warnings": ["Waiting for a keyframe of the video."],
    }
    send(publication)
    facts = house.stage.media(stream.id)
    assert facts["renditions"] == ["360p", "240p", "144p"]
    assert (facts["width"], facts["height"], facts["top_rung_copied"]) == (640, 360, True)
    assert facts["warnings"] == []
    house.stage.check(stream.id, None)
    await house.service.end(stream.id, "owner")
    assert house.kicked == ["the stream has ended: owner"]
    assert house.stage.media(stream.id) == {"connected": False}


async def test_owner_is_told_how_the_signal_arrives(house: House) -> None:
    stream = await house.create()
    assert house.stage.health(stream.id) == {"connected": False, "warnings": []} | _NO_RUNGS
    publication = await house.publish(stream)
    send(publication)
    publication.note_dropped(3)
    answer = StreamHealthAnswer.model_validate(house.stage.health(stream.id))
    assert (answer.connected, answer.encoder, answer.dropped_frames) == (True, "an encoder", 3)
    assert answer.video is not None
    assert (answer.video.codec, answer.video.width, answer.video.height) == ("h264", 640, 360)
    assert [(rung.name, rung.kind) for rung in answer.rungs] == [
        ("360p", "copied"),
        ("240p", "encoded"),
        ("144p", "encoded"),
    ]
    assert answer.last_error is None
    publication.close(clean=False, reason="the connection was lost")
    answer = StreamHealthAnswer.model_validate(house.stage.health(stream.id))
    assert not answer.connected
    assert answer.last_error is not None
    assert answer.last_error.message == "the connection was lost"
    assert house.stage.media(stream.id)["last_error"] == "the connection was lost"


async def test_refused_encoder_is_told_to_the_owner_of_the_stream(house: House) -> None:
    stream = await house.create()
    await house.service.end(stream.id, "owner")
    with pytest.raises(StreamError, match="ended") as refused:
        await house.publish(stream)
    assert house.stage.media(stream.id)["last_error"] == refused.value.detail


async def test_encoders_that_take_turns_are_told_to_the_owner(house: House) -> None:
    stream = await house.create()
    for _ in range(1 + MAX_TAKEOVERS):
        await house.publish(stream)
    with pytest.raises(StreamError, match="take turns") as refused:
        await house.publish(stream)
    assert house.stage.media(stream.id)["last_error"] == refused.value.detail


async def test_ended_stream_can_be_read_for_a_while(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_module, "ENDED_KEPT", 3)
    streams = []
    for _ in range(5):
        stream = await house.create()
        send(await house.publish(stream), 30)
        await house.service.end(stream.id, "owner")
        streams.append(stream)
        await house.service.edit(stream.id, {"title": "another title"})
        house.stage.check(stream.id, None)
        output = house.stage.find(stream.id)
        assert output is not None
        view = output.view("360p")
        assert view is not None
        assert view.is_ended
    for old in streams[:2]:
        assert house.stage.find(old.id) is None
        with pytest.raises(StreamError, match="no such stream"):
            house.stage.check(old.id, None)
    assert len(house.stage._access) == 3
    assert house.stage._sessions == {}
    assert list((house.folder / "live").glob("*")) == []


async def test_ended_streams_hold_so_much_memory_and_no_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_module, "ENDED_BYTES", 1)
    streams = []
    for _ in range(3):
        streams.append(await house.create())
        send(await house.publish(streams[-1]), 60)
        await house.service.end(streams[-1].id, "owner")
    assert [house.stage.find(stream.id) is not None for stream in streams] == [False, False, True]


async def test_cancelled_stream_leaves_nothing(house: House) -> None:
    stream = await house.create(start=False)
    send(await house.publish(stream))
    house.stage.check(stream.id, None)
    await house.service.cancel(stream.id)
    assert house.kicked == ["the stream has ended: cancelled"]
    assert house.stage._sessions == {}
    assert not house.stage._ended
    assert len(house.stage._access) == 0
    with pytest.raises(StreamError):
        house.stage.check(stream.id, None)
    with pytest.raises(StreamError):
        await house.publish(stream)


def refused(is_refused: bool) -> AbstractContextManager[Any]:
    return pytest.raises(StreamError) if is_refused else nullcontext()


async def test_private_stream_takes_a_token(house: House) -> None:
    stream, other = await house.create(is_private=True), await house.create()
    token = SIGNER.issue(stream.id, stream.playback_salt, "bob", NOW)
    house.stage.check(stream.id, token)
    for bad in (
        None,
        "",
        "~",
        token + "x",
        SIGNER.issue(other.id, stream.playback_salt, "bob", NOW),
        SIGNER.issue(stream.id, stream.playback_salt, "b", 0),
    ):
        with pytest.raises(StreamError) as caught:
            house.stage.check(stream.id, bad)
        assert caught.value.code == "not_found"
    house.stage.check(other.id, None)
    house.stage.check(other.id, "whatever")
    await house.service.edit(stream.id, {"is_private": False})
    house.stage.check(stream.id, None)
    hidden = await house.service.edit(stream.id, {"is_private": True})
    for salt in (stream.playback_salt, hidden.playback_salt):
        token = SIGNER.issue(stream.id, salt, "bob", NOW)
        with refused(salt == stream.playback_salt):
            house.stage.check(stream.id, token)
    renewed = await house.service.new_playback_salt(stream.id)
    with refused(True):
        house.stage.check(stream.id, token)
    token = SIGNER.issue(stream.id, renewed.playback_salt, "bob", NOW)
    await house.service.end(stream.id, "owner")
    house.stage.check(stream.id, token)
    with pytest.raises(StreamError):
        house.stage.check(stream.id, None)


@pytest.mark.parametrize("is_private", [True, False])
async def test_preview_is_for_the_owner_and_admins(house: House, is_private: bool) -> None:
    stream, other = [await house.create(start=False, is_private=is_private) for _ in range(2)]
    send(await house.publish(stream))
    salt = stream.playback_salt
    for name, token, may in (
        ("the owner", SIGNER.issue(stream.id, salt, "demo", NOW), True),
        ("an admin", SIGNER.issue(stream.id, salt, "root", NOW, is_admin=True), True),
        ("a follower", SIGNER.issue(stream.id, salt, "bob", NOW), False),
        ("who calls himself admin", SIGNER.issue(stream.id, salt, "admin", NOW), False),
        ("a visitor without a token", None, False),
        ("an empty token", "", False),
        ("a forged token", SIGNER.issue(stream.id, salt, "demo", NOW) + "x", False),
        ("the owner's of another day", SIGNER.issue(stream.id, salt, "demo", 0), False),
        ("the owner's of another stream", SIGNER.issue(other.id, salt, "demo", NOW), False),
        ("the owner's of another salt", SIGNER.issue(stream.id, other.playback_salt, "demo", NOW), False),
        ("an admin's of another stream", SIGNER.issue(other.id, salt, "root", NOW, is_admin=True), False),
    ):
        with refused(not may) as hidden:
            house.stage.previews.check(stream.id, token)
        with pytest.raises(StreamError) as unknown:
            house.stage.previews.check("nothing", token)
        assert unknown.value.code == "not_found"
        assert may or hidden.value.args == unknown.value.args, name
    assert house.stage.previews.find(stream.id).has_media


async def test_preview_comes_and_goes(house: House) -> None:
    stream = await house.create(start=False)
    previews = house.stage.previews
    assert absence(house, stream) == ("no_media_yet", NO_ENCODER)
    publication, source = await house.publish(stream), Source()
    assert absence(house, stream) == ("no_media_yet", NO_KEYFRAME)
    send(publication, 130, source)
    output = previews.find(stream.id)
    assert house.stage.find(stream.id) is None
    assert list(house.stage.live_broadcasts()) == []
    await house.service.start(stream.id)
    assert previews.find(stream.id) is output
    output_view = output.view("source")
    assert output_view is not None
    assert output_view.is_ended
    house.stage._sessions[stream.id].preview._forget()
    code, words = absence(house, stream)
    assert (code, "ended" in words) == ("not_found", True)


async def test_nothing_of_a_preview_is_kept(house: House) -> None:
    stream = await house.create(start=False)
    send(await house.publish(stream), 130)
    await house.stage._checkpoints.close()
    assert list(house.folder.rglob("*.json")) == []
    assert Encoder.made == []


async def test_preview_that_cannot_be_is_told_to_the_owner(house: House) -> None:
    stream = await house.create(start=False)
    send(await house.publish(stream), source=Source(video=replace(VIDEO, bit_depth=10)))
    code, words = absence(house, stream)
    assert code == "no_media_yet"
    assert words in house.stage.media(stream.id)["warnings"]  # type: ignore[operator]  # a list


def absence(house: House, stream: Stream) -> tuple[str, str]:
    with pytest.raises(StreamError) as caught:
        house.stage.previews.find(stream.id)
    return caught.value.code, caught.value.detail


async def test_unknown_stream_is_not_there(house: House) -> None:
    assert house.stage.find("nothing") is None
    assert house.stage.media("nothing") == {"connected": False}
    await house.stage.end("nothing", "owner")
    with pytest.raises(StreamError):
        house.stage.check("nothing", None)


async def test_publishing_needs_an_open_house(tmp_path: Path) -> None:
    request = PublishRequest("live", "key", "", "10.0.0.1:5000", "an encoder")
    with pytest.raises(StreamError, match="starting"):
        await make_stage(tmp_path).publish(request, lambda reason: None)


async def test_auto_start_goes_live_with_the_publisher(house: House) -> None:
    stream = await house.create(start=False, auto_start=True)
    publication = await house.publish(stream)
    assert await house.status(stream) is Status.LIVE
    send(publication)
    assert house.stage.media(stream.id)["renditions"]


async def test_preview_that_is_started_begins_at_the_next_keyframe(house: House) -> None:
    stream = await house.create(start=False)
    publication, source = await house.publish(stream), Source()
    send(publication, 60, source)
    assert house.stage.find(stream.id) is None
    assert house.stage.media(stream.id)["warnings"] == []
    await house.service.start(stream.id)
    send(publication, 60, source)
    output = house.stage.find(stream.id)
    assert output is not None
    assert output.timeline.position == 19 * 3600


async def test_quality_that_is_changed_during_the_preview_counts(house: House) -> None:
    stream = await house.create(start=False)
    publication = await house.publish(stream)
    await house.service.edit(stream.id, {"quality": "144p"})
    await house.service.start(stream.id)
    send(publication)
    assert house.stage.media(stream.id)["renditions"] == ["144p"]


async def test_publisher_that_comes_while_its_stream_ends_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await house.create()
    auto_start = house.service.auto_start

    async def ends_meanwhile(stream_id: str) -> Stream:
        await house.service.end(stream_id, "owner")
        return await auto_start(stream_id)

    monkeypatch.setattr(house.service, "auto_start", ends_meanwhile)
    with pytest.raises(StreamError, match="ended"):
        await house.publish(stream)
    assert house.stage._sessions == {}


async def test_grace_ends_the_stream(make_scene: MakeScene, store: PostgresStore, tmp_path: Path) -> None:
    house = await open_house(store, tmp_path, SOON_S)
    stream = await house.create()
    publication = await house.publish(stream)
    send(publication)
    publication.close(clean=True, reason="")
    assert await house.has_status(stream, Status.ENDED)
    assert (await house.service.get(stream.id)).end_reason == "the encoder stopped"
    await house.stage.close()
    output = house.stage.find(stream.id)
    assert output is not None
    assert list((tmp_path / "live").glob("*")) == []


async def test_grace_and_owner_at_once_end_it_once(
    make_scene: MakeScene, store: PostgresStore, tmp_path: Path
) -> None:
    house = await open_house(store, tmp_path, 0.0)
    stream = await house.create()
    async with asyncio.timeout(5):
        await asyncio.gather(*(house.service.end(stream.id, f"owner {n}") for n in range(3)))
        await asyncio.sleep(0.01)
        await house.stage.close()
    assert await house.status(stream) is Status.ENDED


async def test_closing_finishes_streams_that_are_just_ending(
    make_scene: MakeScene, store: PostgresStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaserver.live.encoding.DRAIN_S", 0.02)
    house = await open_house(store, tmp_path, SOON_S)
    stream = await house.create()
    publication = await house.publish(stream)
    Encoder.made[-1].is_slow = True
    send(publication)
    publication.close(clean=False, reason="the connection was lost")
    for _ in range(200):
        if house.stage._ended:
            break
        await asyncio.sleep(0.001)
    await house.stage.close()
    output = house.stage.find(stream.id)
    assert output is not None
    view = output.view("144p")
    assert view is not None
    assert view.is_ended
    assert await house.status(stream) is Status.ENDED
    assert list((tmp_path / "live").glob("*")) == []


async def test_failure_to_store_the_end_is_logged_and_hurts_nobody(
    make_scene: MakeScene, store: PostgresStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_house(store, tmp_path, SOON_S)

    async def fail(stream_id: str, reason: str) -> Stream:
        raise OSError("disk full")

    monkeypatch.setattr(house.service, "end", fail)
    await house.create()
    await asyncio.sleep(2 * SOON_S)
    await house.stage.close()


async def test_killed_server_is_taken_up(house: House, store: PostgresStore, tmp_path: Path) -> None:
    stream = await house.create()
    send(await house.publish(stream), 130)
    await house.stage._checkpoints.close()
    before = house.stage.find(stream.id)
    second = await open_house(store, tmp_path)
    send(await second.publish(stream), 60)
    after = second.stage.find(stream.id)
    assert before is not None
    assert after is not None
    old, new = before.view("360p"), after.view("360p")
    assert old is not None
    assert new is not None
    assert new.segments[0].msn > old.segments[-1].msn
    assert new.segments[0].generation > old.segments[-1].generation
    assert new.segments[0].is_discontinuity
    await second.stage.close()
    assert await house.status(stream) is Status.LIVE, "a stopped server does not end streams"


async def test_ended_encoder_process_is_let_go(house: House) -> None:
    stream = await house.create()
    send(await house.publish(stream))
    await house.service.end(stream.id, "owner")
    assert all(encoder.is_closed for encoder in Encoder.made)
