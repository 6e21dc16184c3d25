"""What the server and a worker say to each other, as values. `transcode.wire` turns them into bytes."""

from __future__ import annotations

from dataclasses import dataclass

from media.packet import AudioTrack, VideoTrack
from transcode.rung import RungSpec

AUDIO_OUTPUTS = ("aac", "opus")
"""Names of the audio encodings; their order is on the wire."""


MAX_FORMER = 3
"""Activations of a rung that still have pictures before the next one's first. A source that changes its size more often
than its pictures get through would otherwise fill the worker's memory with encoders."""


@dataclass(frozen=True, slots=True)
class SetTrack:
    """Server: what the following packets of this kind belong to."""

    track: VideoTrack | AudioTrack
    threads: int = 1
    """That decode the pictures; each beyond the first delays them by one, until `Flush`."""
    is_shrunk: bool = False
    """Whether pictures are only wanted at half their size or less: blocks in those that no other refers to may stay."""


@dataclass(frozen=True, slots=True)
class Media:
    """Server: an access unit, times in ticks."""

    is_video: bool
    is_keyframe: bool
    pts: int
    dts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Activate:
    """Server: encode this rung from the first frame with pts >= `from_pts`; that frame is an IDR.

    A rung that is active already goes on as it is until there.
    """

    spec: RungSpec
    from_pts: int


@dataclass(frozen=True, slots=True)
class Deactivate:
    """Server: stop encoding this rung."""

    rung: str


@dataclass(frozen=True, slots=True)
class ActivateAudio:
    """Server: encode audio, packets with pts >= `from_pts` only."""

    output: str
    from_pts: int
    placed: tuple[tuple[int, int], ...] = ()
    """Where the worker before has put source packets: their pts, and positions in samples."""


@dataclass(frozen=True, slots=True)
class DeactivateAudio:
    """Server: stop encoding audio."""

    output: str


@dataclass(frozen=True, slots=True)
class ForceKeyframe:
    """Server: the first frame with this pts or more is an IDR on one rung, on all when `rung` is None."""

    pts: int
    rung: str | None


@dataclass(frozen=True, slots=True)
class Flush:
    """Server: the run ends here. Worker: everything before it has been sent."""

    number: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Server: frames are missing here, go on at the next keyframe. Worker: no frame before `until_pts` will come."""

    until_pts: int


@dataclass(frozen=True, slots=True)
class DrawSlate:
    """Server: make one GOP per rung of the last picture so far, dimmed, with a caption; of a black one without any."""

    caption: str
    specs: tuple[RungSpec, ...]
    frame_count: int
    frame_ticks: int
    """Distance of the pictures, whatever the frame rate of the specs."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Server: are you responsive? Worker: the same number, when everything before it is done."""

    number: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Server: forget rungs, tracks and times; what follows may lie anywhere."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker: codecs are loaded."""


@dataclass(frozen=True, slots=True)
class RungOpened:
    """Worker: an encoder is there, the frames of this rung that follow are its own; `config` is its avcC."""

    rung: str
    config: bytes


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One rung's part of a source frame."""

    rung: str
    is_keyframe: bool
    data: bytes
    config: bytes = b""
    """The avcC of the encoder that takes over with this frame; empty while it is the one that `RungOpened` told of."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Worker: all active rungs of one source frame, in display order; without rungs too, as progress."""

    pts: int
    frames: tuple[EncodedFrame, ...]


@dataclass(frozen=True, slots=True)
class SlateDrawn:
    """Worker: the slate of one rung; `config` is its avcC."""

    rung: str
    config: bytes
    frames: tuple[EncodedFrame, ...]


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """Worker: one packet of an audio output."""

    output: str
    pts: int
    data: bytes
    source_pts: int = 0
    """Of the newest source packet that is in it."""
    source_position: int = 0
    """Where that packet's first sample has been put, in samples of 48 kHz."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Worker: how much of what was sent has been taken from the queue, and at what cost."""

    consumed: int
    """`Media` messages since the worker started."""
    busy_us: int
    """Time in which the worker was not waiting for media."""
    decode_errors: int
    dropped_frames: int
    """Decoded frames that could not be placed in display order."""
    base_us: int = 0
    """CPU time of everything but the encoders: decoding, scaling, sound, sending."""
    rungs: tuple[tuple[str, int], ...] = ()
    """CPU time of each active rung's encoders since it became active."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Worker: how good the pictures before `pts` are, since the last such message."""

    pts: int
    rungs: tuple[tuple[str, float], ...]
    """PSNR of luma in dB, of each rung whose encoder measures it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Worker: an error that it knew of; it ends now."""

    reason: str


@dataclass(frozen=True, slots=True)
class UseEncoders:
    """Server: hardware that worked in the trial, the preferred first, for rungs that are activated from now on.

    A rung may then come from more than one encoder, so IDR pictures bring their parameter sets along, x264's too.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TryEncoder:
    """Server: say whether this encoder works here."""

    name: str


@dataclass(frozen=True, slots=True)
class EncoderTried:
    """Worker: what became of the trial; no fault, it works."""

    name: str
    fault: str


@dataclass(frozen=True, slots=True)
class EncoderFailed:
    """Worker: hardware failed on a rung, which goes on with x264."""

    rung: str
    encoder: str
    reason: str


@dataclass(frozen=True, slots=True)
class MeasureLoudness:
    """Server: measure how loud these packets are, which follow each other."""

    number: int
    track: AudioTrack
    packets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LoudnessMeasured:
    """Worker: the loudness of a piece of sound, by EBU R 128."""

    number: int
    blocks: tuple[float, ...]
    """Momentary loudness (0.4 s) every 0.1 s, LUFS."""
    short_term: float
    """Of the last 3 s, or of all when there is less, LUFS."""
    peak: float
    """Highest sample, dBFS; above 0 it is clipped by whoever plays it."""


@dataclass(frozen=True, slots=True)
class DrawPicture:
    """Server: make a JPEG of a keyframe."""

    number: int
    track: VideoTrack
    keyframe: bytes
    """As in `Packet.data`."""
    side: int
    """The longer one of the JPEG, in pixels."""


@dataclass(frozen=True, slots=True)
class PictureDrawn:
    """Worker: the JPEG, empty when the keyframe cannot be decoded."""

    number: int
    jpeg: bytes


Message = (
    SetTrack | Media | Activate | Deactivate | ActivateAudio | DeactivateAudio | ForceKeyframe | Flush | Skip | Ping
    | DrawSlate | Ready | RungOpened | Frames | EncodedAudio | SlateDrawn | Progress | Failed
    | Reset | Quality
    | UseEncoders | TryEncoder | EncoderTried | EncoderFailed | MeasureLoudness | LoudnessMeasured
    | DrawPicture | PictureDrawn
)  # fmt: skip
