"""WhipGate and sources: what the stage is for the WebRTC room."""

from __future__ import annotations

import pytest

from media.error import StreamError
from mediaserver.live.whip_gate import WhipGate
from webrtc.port import Broadcasts, PublishGate

from .relay_sink import Diary
from .scene import Source
from .test_stage import House, house, send

__all__ = ["house"]


class Kicks(list[str]):
    """Reasons that have been given."""

    def __call__(self, reason: str) -> None:
        self.append(reason)


async def test_who_publishes_over_whip_is_a_publisher_like_any_other(house: House) -> None:
    stream = await house.create()
    kicks = Kicks()
    publication = await WhipGate(house.stage).publish(stream.stream_key, "10.0.0.2:443", "a browser", kicks)
    assert house.stage.find_source(stream.id) is None
    send(publication)
    media = house.stage.media(stream.id)
    assert (media["connected"], media["encoder"]) == (True, "a browser")
    await house.publish(stream)
    assert kicks == ["another encoder has connected with the same stream key and has taken over"]


async def test_a_wrong_key_is_refused_with_words(house: House) -> None:
    gate: PublishGate = WhipGate(house.stage)
    with pytest.raises(StreamError, match=r"\w+ \w+"):
        await gate.publish("wrong", "10.0.0.2:443", "", Kicks())


async def test_a_source_is_there_from_the_first_media_to_the_end(house: House) -> None:
    broadcasts: Broadcasts = house.stage
    stream = await house.create()
    assert broadcasts.find_source(stream.id) is None
    assert broadcasts.find_source("another") is None
    publication = await house.publish(stream)
    source = Source()
    send(publication, 60, source)
    relay = broadcasts.find_source(stream.id)
    assert relay is not None
    diary = Diary()
    relay.attach(diary)
    relay.want({"360p": 1}, audio=False)
    send(publication, 10, source)
    assert len(diary.frames) == 20
    publication.close(clean=False, reason="lost")
    assert house.stage.find_source(stream.id) is relay
    assert not diary.is_closed
    await house.service.end(stream.id, "enough")
    assert house.stage.find_source(stream.id) is None
    assert diary.is_closed


async def test_a_preview_is_no_source(house: House) -> None:
    stream = await house.create(start=False)
    send(await house.publish(stream))
    assert house.stage.find_source(stream.id) is None
