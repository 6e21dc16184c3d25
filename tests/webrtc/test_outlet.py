"""A broadcast's frames on their way to the WebRTC processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from webrtc.gop import MAX_BYTES, RecentGop
from webrtc.message import Audio, Declare, Forget, Message, Video
from webrtc.outlet import Outlet
from webrtc.port import Rung, Sink, VideoFrame
from webrtc.wire import parse

TOP = Rung("720p", 1280, 720, 2_500_000, is_made=True, can_force=False)
LOW = Rung("144p", 256, 144, 100_000, is_made=False, can_force=True)


class Broadcast:
    """A source that writes down what is wanted of it."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.wants: list[tuple[Mapping[str, int], bool]] = []
        self.keyframes: list[tuple[str, int]] = []

    def attach(self, sink: Sink) -> None:
        self.sink = sink
        sink.declare([TOP, LOW])

    def detach(self) -> None:
        self.sink = None

    def want(self, rungs: Mapping[str, int], *, audio: bool) -> None:
        self.wants.append((dict(rungs), audio))

    def force_keyframe(self, rung: str, after_pts: int) -> None:
        self.keyframes.append((rung, after_pts))


class Process:
    """A WebRTC process that writes down what it gets."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.is_slow = False

    def send(self, message: Message) -> None:
        self.messages.append(message)

    def send_media(self, data: bytes) -> bool:
        if not self.is_slow:
            self.messages.append(parse(data))
        return not self.is_slow

    def frames(self, rung: str = "720p") -> list[int]:
        """Return the times of the frames that it got, and forget everything."""
        found = [item.frame.pts for item in self.messages if isinstance(item, Video) and item.rung == rung]
        self.messages.clear()
        return found


def frame(pts: int, *, is_keyframe: bool = False, size: int = 10) -> VideoFrame:
    return VideoFrame(pts, is_keyframe, bytes(size))


def test_each_process_gets_what_its_viewers_want_and_the_source_hears_the_sum() -> None:
    source, one, other = Broadcast(), Process(), Process()
    outlet = Outlet("s", source)
    for process in (one, one, other):
        outlet.enter(process)
    assert one.messages == [Declare("s", (TOP, LOW))]
    outlet.want(one, {"720p": 2}, audio=True)
    outlet.want(other, {"720p": 1, "144p": 1}, audio=False)
    assert source.wants[-1] == ({"720p": 3, "144p": 1}, True)
    one.messages.clear()
    other.messages.clear()
    outlet.receive_video("720p", frame(0, is_keyframe=True))
    outlet.receive_video("144p", frame(0, is_keyframe=True))
    outlet.receive_audio(5, b"opus")
    assert one.messages == [Video("s", "720p", frame(0, is_keyframe=True)), Audio("s", 5, b"opus")]
    assert [type(item) for item in other.messages] == [Video, Video]
    outlet.force_keyframe("144p", 7)
    assert source.keyframes == [("144p", 7)]


def test_changes_of_the_rungs_are_told() -> None:
    source, process = Broadcast(), Process()
    outlet = Outlet("s", source)
    outlet.enter(process)
    outlet.declare([replace(TOP, is_made=False)])
    assert process.messages[-1] == Declare("s", (replace(TOP, is_made=False),))
    assert outlet.rungs == (replace(TOP, is_made=False),)


def test_a_process_that_comes_to_a_rung_that_others_watch_gets_its_newest_frames_first() -> None:
    source, one, other = Broadcast(), Process(), Process()
    outlet = Outlet("s", source)
    outlet.enter(one)
    outlet.want(one, {"720p": 1}, audio=False)
    for pts, is_keyframe in ((0, True), (1, False), (2, True), (3, False)):
        outlet.receive_video("720p", frame(pts, is_keyframe=is_keyframe))
    outlet.enter(other)
    outlet.want(other, {"720p": 1}, audio=False)
    outlet.receive_video("720p", frame(4))
    assert other.frames() == [2, 3, 4]
    assert one.frames() == [0, 1, 2, 3, 4]


def test_a_process_that_is_too_slow_goes_on_with_a_keyframe() -> None:
    source, process = Broadcast(), Process()
    outlet = Outlet("s", source)
    outlet.enter(process)
    outlet.want(process, {"720p": 1}, audio=True)
    outlet.receive_video("720p", frame(0))  # nothing of use without its keyframe
    outlet.receive_video("720p", frame(1, is_keyframe=True))
    process.is_slow = True
    outlet.receive_video("720p", frame(2))
    outlet.receive_audio(2, b"opus")
    process.is_slow = False
    outlet.receive_video("720p", frame(3))
    outlet.receive_video("720p", frame(4, is_keyframe=True))
    assert process.frames() == [1, 4]


def test_with_the_last_viewer_nothing_is_wanted_any_more() -> None:
    source, one, other = Broadcast(), Process(), Process()
    outlet = Outlet("s", source)
    for process in (one, one, other):
        outlet.enter(process)
        outlet.want(process, {"720p": 1}, audio=True)
    outlet.leave(one)
    assert Forget("s") not in one.messages
    outlet.leave(one)
    assert one.messages[-1] == Forget("s")
    assert source.wants[-1] == ({"720p": 1}, True)
    outlet.leave(other)
    assert outlet.is_closed
    assert source.sink is None
    outlet.leave(other)


def test_the_end_of_the_broadcast_is_told() -> None:
    source, process = Broadcast(), Process()
    outlet = Outlet("s", source)
    outlet.enter(process)
    outlet.close()
    assert process.messages[-1] == Forget("s")
    count = len(source.wants)
    outlet.want(process, {"720p": 1}, audio=True)
    outlet.leave(process)
    assert len(source.wants) == count, "nobody wants anything of a broadcast that is over"


def test_few_frames_are_kept_and_only_from_a_keyframe_on() -> None:
    gop = RecentGop()
    gop.receive(frame(0))
    assert gop.frames == []
    gop.receive(frame(0, is_keyframe=True))
    gop.receive(frame(180_000))
    assert [item.pts for item in gop.frames] == [0, 180_000]
    gop.receive(frame(180_001))
    assert gop.frames == [], "more than 2 s"
    gop.receive(frame(190_000, is_keyframe=True, size=MAX_BYTES))
    assert len(gop.frames) == 1
    gop.receive(frame(190_001, size=1))
    assert gop.frames == [], "more than 1 MB"
