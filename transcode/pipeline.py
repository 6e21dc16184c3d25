"""Decode once, scale in a cascade, encode every active rung in a thread of its own. No sockets, no processes.

The caller's thread decodes and scales; FFmpeg and x264 release the interpreter's lock, so the rungs' threads use the
other cores. Results come out in order as functions that wait for their encoders: the caller hands them to the
thread that sends, through a bounded queue, so that a slow reader slows the decoder and nothing piles up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from media.packet import AudioTrack
from transcode.audio import AudioDecoder, AudioEncoder
from transcode.encoded_rung import EncodedRung
from transcode.encoder_choice import OPENERS, EncoderChoice, Open
from transcode.encoder_trial import try_encoder
from transcode.loudness import measure_loudness
from transcode.message import (
    Activate,
    ActivateAudio,
    Deactivate,
    DeactivateAudio,
    DrawPicture,
    DrawSlate,
    Flush,
    ForceKeyframe,
    Frames,
    MeasureLoudness,
    Media,
    Message,
    Quality,
    Reset,
    RungOpened,
    SetTrack,
    Skip,
    TryEncoder,
    UseEncoders,
)
from transcode.picture import draw_picture
from transcode.quality import REPORT_TICKS
from transcode.scaler import Scaler
from transcode.succession import Succession
from transcode.video_decoder import VideoDecoder

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Result = Callable[[], Message]
"""Waits for a message to the server and returns it."""


class Pipeline:
    """Turns the server's messages into results, synchronously and in order.

    Args:
        openers: how hardware encoders are opened.
    """

    def __init__(self, openers: Mapping[str, Open] = OPENERS) -> None:
        self._openers = openers
        self._encoders = EncoderChoice()
        self._video = VideoDecoder()
        self._scaler = Scaler()
        self._newest: VideoFrame | None = None
        self._audio = AudioDecoder()
        self._rungs: dict[str, Succession] = {}
        self._quality_due: int | None = None
        self._outputs: dict[str, AudioEncoder] = {}

    @property
    def decode_errors(self) -> int:
        """Access units that a decoder refused."""
        return self._video.errors + self._audio.errors

    @property
    def dropped_frames(self) -> int:
        """Pictures that could not be placed in display order."""
        return self._video.dropped

    @property
    def costs_us(self) -> tuple[tuple[str, int], ...]:
        """CPU time of each active rung's encoders, since it became active."""
        return tuple((name, rung.cost_us) for name, rung in self._rungs.items())

    def handle(self, message: Message) -> Iterator[Result]:
        """Carry out one message of the server."""
        match message:
            case Media(is_video=True):
                frames = self._video.decode(message.pts, message.dts, message.data, message.is_keyframe)
                yield from self._encode_all(frames)
                yield from map(_known, self._encoders.take_failures())
                if self._video.is_blind:
                    self._video.discard_before(message.dts)
                    yield lambda: Skip(message.dts)
            case Media():
                yield from self._encode_audio(message)
            case SetTrack():
                yield from self._set_track(message)
            case Skip():
                yield from self._end_video()
                yield lambda: message
            case DrawSlate() | DrawPicture() | TryEncoder() | UseEncoders() | MeasureLoudness() | Reset():
                yield from self._serve(message)
            case Flush():
                yield from self._end_video()
                for encoder in self._outputs.values():
                    yield from map(_known, encoder.drain())
                yield lambda: message
            case _:
                yield from self._control(message)

    def close(self) -> None:
        """End the encoders' threads."""
        for rung in self._rungs.values():
            rung.close()

    def _control(self, message: Message) -> Iterator[Result]:
        match message:
            case Activate(spec, from_pts):
                encoder = EncodedRung(spec, from_pts, self._encoders)
                yield from map(_known, self._encoders.take_failures())
                yield from self._activate(encoder)
            case Deactivate(rung) if rung in self._rungs:
                self._rungs.pop(rung).close()
            case ForceKeyframe(pts, rung):
                for name, succession in self._rungs.items():
                    if rung in (None, name):
                        succession.force_keyframe(pts)
            case ActivateAudio(output, from_pts, placed):
                self._outputs[output] = AudioEncoder(output, from_pts, dict(placed))
            case DeactivateAudio(output):
                self._outputs.pop(output, None)

    def _serve(self, message: Message) -> Iterator[Result]:
        """Do what is no part of a broadcast's live encoding."""
        match message:
            case DrawSlate():
                yield from self._end_video()
                yield from self._draw_slate(message)
            case TryEncoder(name):
                yield _known(try_encoder(name, self._openers))
            case MeasureLoudness():
                yield _known(measure_loudness(message))
            case DrawPicture():
                yield _known(draw_picture(message))
            case UseEncoders(names):
                self._encoders = EncoderChoice(names, self._openers)
            case Reset():
                self._reset()

    def _reset(self) -> None:
        self.close()
        self._rungs.clear()
        self._outputs.clear()
        self._video, self._audio, self._newest = VideoDecoder(), AudioDecoder(), None
        self._quality_due = None

    def _activate(self, encoder: EncodedRung) -> Iterator[Result]:
        name = encoder.spec.name
        if name in self._rungs:
            self._rungs[name].append(encoder)
        else:
            self._rungs[name] = Succession(encoder)
            yield _opened(encoder)

    def _set_track(self, message: SetTrack) -> Iterator[Result]:
        if isinstance(message.track, AudioTrack):
            self._audio.set_track(message.track)
            return
        yield from self._encode_all(self._video.drain())
        self._video.set_track(message.track, message.threads, is_shrunk=message.is_shrunk)

    def _encode_all(self, frames: Iterator[VideoFrame]) -> Iterator[Result]:
        for frame in frames:
            pts = frame.pts or 0
            for rung in self._rungs.values():
                if encoder := rung.advance(pts):
                    yield _opened(encoder)
            self._newest = frame
            yield self._encode(frame, pts)
            if self._is_quality_due(pts):
                yield self._measure(pts)

    def _encode(self, frame: VideoFrame, pts: int) -> Result:
        wanted = [(size, rung) for rung in self._rungs.values() if (size := rung.size_at(pts))]
        # Largest first, as the cascade wants it; a rung's size may be another one from some picture on.
        wanted.sort(key=lambda item: item[0], reverse=True)
        pictures = self._scaler.scale(frame, self._video.aspect, [size for size, _ in wanted])
        # Only now: an encoder writes to its picture, from which the next smaller one has just been scaled.
        pending = [rung.encode(picture, pts) for (_, rung), picture in zip(wanted, pictures, strict=True)]
        return lambda: Frames(pts, tuple(future.result() for future in pending))

    def _is_quality_due(self, pts: int) -> bool:
        due = self._quality_due
        if due is not None and pts < due:
            return False
        self._quality_due = pts + REPORT_TICKS
        return due is not None

    def _measure(self, pts: int) -> Result:
        pending = [(name, rung.measure()) for name, rung in self._rungs.items()]
        return lambda: Quality(pts, tuple((n, value) for n, future in pending if (value := future.result())))

    def _draw_slate(self, order: DrawSlate) -> Iterator[Result]:
        from transcode.slate_drawing import draw_slate  # noqa: PLC0415 - who encodes live does without Pillow

        yield from map(_known, draw_slate(order, self._newest, self._video.aspect))

    def _encode_audio(self, message: Media) -> Iterator[Result]:
        if not self._outputs:
            return
        held = self._audio.held
        samples = self._audio.decode(message.pts, message.data)
        if samples:
            for encoder in self._outputs.values():
                yield from map(_known, encoder.encode(message.pts, samples, held))

    def _end_video(self) -> Iterator[Result]:
        yield from self._encode_all(self._video.drain())
        for rung in self._rungs.values():
            rung.begin_anew()


def _opened(encoder: EncodedRung) -> Result:
    name, config = encoder.spec.name, encoder.config
    return lambda: RungOpened(name, config)


def _known(message: Message) -> Result:
    return lambda: message
