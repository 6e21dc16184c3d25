"""Movie fragments: the samples of a segment or part (ISO/IEC 14496-12, 8.8)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from media.error import PeerError
from media.obu import SEQUENCE_HEADER, split_obus

from .boxes import Box, BoxError, read_boxes, unpack
from .initialization import Initialization, Track

MAX_SAMPLES = 200_000
"""Of a segment. Samples of default size and duration cost no byte of the file, so a count alone proves nothing."""
_NON_SYNC = 0x0001_0000


@dataclass(slots=True)
class TrackRun:
    """What a segment or part holds of one track, times in units of the track's timescale."""

    track: Track
    start: int
    """Decoding time of the first sample."""
    end: int
    """Decoding time behind the last sample."""
    samples: int = 0
    first_shown: int | None = None
    """Earliest presentation time."""
    largest_duration: int = 0
    least_offset: int = 0
    """Smallest composition offset."""
    breaks: list[int] = field(default_factory=list)
    """By how much each further fragment begins elsewhere than the one before it ended."""
    is_first_sync: bool | None = None
    """Whether the first sample is marked as one to start with; None without samples."""
    is_first_key: bool | None = None
    """Whether the first sample is a key picture by its own bytes; None when that is not known."""
    has_key: bool = False
    """Whether any sample is marked as one to start with."""

    @property
    def start_s(self) -> float | None:
        """Earliest presentation time in seconds, edit list applied; None without samples."""
        if self.first_shown is None:
            return None
        return (self.first_shown - self.track.shift) / self.track.timescale

    @property
    def duration_s(self) -> float:
        """Seconds on the decoding timeline."""
        return (self.end - self.start) / self.track.timescale

    @property
    def frame_s(self) -> float:
        """Duration of the longest sample in seconds."""
        return self.largest_duration / self.track.timescale


@dataclass(frozen=True, slots=True)
class Fragments:
    """What a segment or part holds."""

    kinds: tuple[str, ...]
    """Boxes of the outermost level."""
    runs: dict[int, TrackRun]
    """By number of the track."""
    faults: tuple[str, ...]
    """What departs from CMAF but can be read."""


def read_fragments(data: bytes, initialization: Initialization) -> Fragments:
    """Read the fragments of a segment or part.

    Raises:
        PeerError: they are broken, or of a track that the initialization section does not have.
    """
    boxes = list(read_boxes(data))
    runs: dict[int, TrackRun] = {}
    faults: list[str] = []
    for index, box in enumerate(boxes):
        if box.kind == "moof":
            following = boxes[index + 1 :]
            payload = next((other for other in following if other.kind in ("mdat", "moof")), None)
            if payload is None or payload.kind != "mdat":
                faults.append(f"no `mdat` belongs to the `moof` at byte {box.start}")
            reader = _FragmentReader(data, box, payload, initialization)
            for traf in read_boxes(data, box.payload, box.end):
                if traf.kind == "traf":
                    run = reader.read(traf)
                    known = runs.get(run.track.id)
                    runs[run.track.id] = run if known is None else _join(known, run)
            faults += reader.faults
    return Fragments(tuple(box.kind for box in boxes), runs, tuple(faults))


def _join(first: TrackRun, second: TrackRun) -> TrackRun:
    shown = [time for time in (first.first_shown, second.first_shown) if time is not None]
    return TrackRun(
        track=first.track,
        start=first.start,
        end=second.end,
        samples=first.samples + second.samples,
        first_shown=min(shown, default=None),
        largest_duration=max(first.largest_duration, second.largest_duration),
        least_offset=min(first.least_offset, second.least_offset),
        breaks=[*first.breaks, second.start - first.end, *second.breaks],
        is_first_sync=first.is_first_sync if first.samples else second.is_first_sync,
        is_first_key=first.is_first_key if first.samples else second.is_first_key,
        has_key=first.has_key or second.has_key,
    )


class _FragmentReader:
    """Reads the `traf` boxes of one `moof`."""

    def __init__(self, data: bytes, moof: Box, payload: Box | None, initialization: Initialization) -> None:
        self._data = data
        self._moof = moof
        self._payload = payload
        self._initialization = initialization
        self.faults: list[str] = []

    def read(self, traf: Box) -> TrackRun:
        """Read one of them."""
        boxes = list(read_boxes(self._data, traf.payload, traf.end))
        head = next((box for box in boxes if box.kind == "tfhd"), None)
        if head is None:
            raise BoxError("a `traf` has no `tfhd`")
        self._read_head(head)
        time = next((box for box in boxes if box.kind == "tfdt"), None)
        start = self._read_time(time) if time is not None else 0
        if time is None:
            self.faults.append(f"a fragment of track {self._track.id} has no `tfdt`")
        run = TrackRun(self._track, start, start)
        for box in boxes:
            if box.kind == "trun":
                self._read_run(box, run)
        return run

    def _read_head(self, box: Box) -> None:
        flags, track_id = unpack("II", self._data, box.payload, box.end)
        track = self._initialization.tracks.get(track_id)
        if track is None:
            raise BoxError(f"a fragment is of track {track_id}, which the initialization section lacks")
        self._track = track
        position = box.payload + 8
        self._offset = self._moof.start
        if flags & 1:
            (self._offset,) = unpack("Q", self._data, position, box.end)
            position += 8
        position += 4 if flags & 2 else 0
        values = [track.default_duration, track.default_size, track.default_flags]
        for index, flag in enumerate((8, 0x10, 0x20)):
            if flags & flag:
                (values[index],) = unpack("I", self._data, position, box.end)
                position += 4
        self._duration, self._size, self._flags = values

    def _read_time(self, box: Box) -> int:
        is_long = self._data[box.payload : box.payload + 1] == b"\x01"
        (time,) = unpack("Q" if is_long else "I", self._data, box.payload + 4, box.end)
        return time

    def _read_run(self, box: Box, run: TrackRun) -> None:
        version_flags, count = unpack("II", self._data, box.payload, box.end)
        flags, position = version_flags & 0xFF_FFFF, box.payload + 8
        if run.samples + count > MAX_SAMPLES:
            raise BoxError(f"a segment of more than {MAX_SAMPLES} samples")
        start = self._offset
        if flags & 1:
            (relative,) = unpack("i", self._data, position, box.end)
            start, position = self._offset + relative, position + 4
        first_flags = None
        if flags & 4:
            (first_flags,) = unpack("I", self._data, position, box.end)
            position += 4
        form = "".join("I" for flag in (0x100, 0x200, 0x400) if flags & flag)
        form += ("i" if version_flags >> 24 else "I") if flags & 0x800 else ""
        size = struct.calcsize(f">{form}")
        end = start
        for index in range(count):
            values = iter(unpack(form, self._data, position, box.end))
            duration = next(values) if flags & 0x100 else self._duration
            length = next(values) if flags & 0x200 else self._size
            own = next(values) if flags & 0x400 else self._flags
            own = first_flags if first_flags is not None and not index else own
            offset = next(values) if flags & 0x800 else 0
            self._add(run, duration, offset, is_sync=not own & _NON_SYNC, where=(end, end + length))
            position += size
            end += length
        if self._payload is None or not self._payload.payload <= start <= end <= self._payload.end:
            self.faults.append(
                f"samples at bytes {start} to {end} are not inside the `mdat` of their fragment"
            )

    def _add(
        self, run: TrackRun, duration: int, offset: int, *, is_sync: bool, where: tuple[int, int]
    ) -> None:
        shown = run.end + offset
        run.first_shown = shown if run.first_shown is None else min(run.first_shown, shown)
        run.least_offset = min(run.least_offset, offset) if run.samples else offset
        if not run.samples:
            run.is_first_sync = is_sync
            run.is_first_key = is_key_picture(self._track, self._data[slice(*where)])
        run.has_key = run.has_key or is_sync
        run.samples += 1
        run.end += duration
        run.largest_duration = max(run.largest_duration, duration)


def is_key_picture(track: Track, sample: bytes) -> bool | None:
    """Tell by a sample's own bytes whether decoding can start there: IDR, IRAP or a sequence header.

    Returns:
        None when the codec is another one, or the sample cannot be read.
    """
    if track.entry in ("avc1", "avc3"):
        return _has_nal(sample, track.length_size, lambda first: first & 0x1F == 5)
    if track.entry in ("hvc1", "hev1"):
        return _has_nal(sample, track.length_size, lambda first: 16 <= first >> 1 & 0x3F <= 21)
    if track.entry == "av01":
        try:
            return any(unit.kind == SEQUENCE_HEADER for unit in split_obus(sample))
        except PeerError:
            return None
    return None


def _has_nal(sample: bytes, length_size: int, is_wanted: Callable[[int], bool]) -> bool:
    position = 0
    while position + length_size < len(sample):
        length = int.from_bytes(sample[position : position + length_size], "big")
        if is_wanted(sample[position + length_size]):
            return True
        position += length_size + length
    return False
