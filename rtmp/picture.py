"""What the reader of video tags needs of a codec."""

from __future__ import annotations

from typing import Protocol

from media.packet import VideoTrack

Frame = tuple[VideoTrack, bytes, bool]
"""A coded picture in the form that packets have: track, data, and whether it is a keyframe. A plain tuple, because one
is made for every packet and taken apart at once: a named one would cost more than the packet itself."""


class VideoCodec(Protocol):
    """The state of one track of video: its configuration, and frames in, frames out."""

    has_composition_time: bool
    """Whether coded frames of Enhanced RTMP have 24 bits of composition time before them."""

    def configure(self, record: bytes, bitrate_bps: int | None) -> None:
        """Take a decoder configuration record; encoders repeat it, and only another one is a change.

        Raises:
            PeerError: it is damaged.
        """

    def read(self, data: bytes, is_key_tag: bool) -> Frame | None:
        """Read what a tag holds behind its headers.

        Args:
            data: of the tag.
            is_key_tag: whether the tag says that it holds a keyframe.

        Returns:
            The frame, None when there is no picture in it, or no configuration yet.

        Raises:
            PeerError: the frame is damaged.
        """
