"""The tracks of one kind that a connection carries: a reader for each, and words for codecs that are not served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from rtmp.enhanced import MAX_TRACKS
from rtmp.error import RefusedError

Codec = TypeVar("Codec")


class TrackTable(Generic[Codec]):
    """Opens a codec reader when a track begins, or changes its codec.

    Args:
        kind: `audio` or `video`.
        codecs: what is served, by FourCC.
        names: of codecs that are not, by FourCC and by the number that FLV gives them.
        remedy: what to set the encoder to.
    """

    def __init__(
        self,
        kind: str,
        codecs: Mapping[bytes, Callable[[], Codec]],
        names: Mapping[bytes | int, str],
        remedy: str,
    ) -> None:
        self._kind = kind
        self._codecs = codecs
        self._names = names
        self._remedy = remedy
        self._tracks: dict[int, tuple[bytes, Codec]] = {}

    def codec(self, fourcc: bytes, track_id: int = 0) -> Codec:
        """Return the reader of a track.

        Raises:
            RefusedError: the codec is not served, or there are too many tracks.
        """
        track = self._tracks.get(track_id)
        if track is not None and track[0] == fourcc:
            return track[1]
        if fourcc not in self._codecs:
            name = self._names.get(fourcc, repr(fourcc)[2:-1])
            raise self._refusal(
                f"{self._kind} codec {name} over Enhanced RTMP is not supported", self._remedy
            )
        if track is None and len(self._tracks) == MAX_TRACKS:
            raise self._refusal(f"more than {MAX_TRACKS} {self._kind} tracks are not supported", "fewer")
        codec = self._codecs[fourcc]()
        self._tracks[track_id] = fourcc, codec
        return codec

    def refuse_number(self, number: int) -> RefusedError:
        """Say that a codec with a number of FLV is not served."""
        name = self._names.get(number, f"number {number}")
        return self._refusal(f"{self._kind} codec {name} is not supported", self._remedy)

    def _refusal(self, what: str, remedy: str) -> RefusedError:
        return RefusedError("NetStream.Publish.Rejected", f"{what}: set the encoder to {remedy}")
