"""What a worker has not delivered yet, from the keyframe on at which another worker could take over.

One list of entries in order, the first part sent, the rest waiting for the worker's window. Pure: no clock, no
socket. Frames are delivered in display order, so one number, `delivered_pts`, says which ones viewers have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from media.packet import CLOCK_HZ, Packet
from transcode.message import Flush, Skip
from transcode.open_gop import is_open

Entry = Packet | Flush | Skip

NOTHING_DELIVERED = -(1 << 62)

MAX_WAITING = 4 * CLOCK_HZ
"""Ticks of media that wait for a worker that is slow or being replaced. Replacing a hung one takes 3 s; further
behind live than this nobody wants the encoded rungs any more."""

MAX_BYTES = 48 * 1024 * 1024
"""Of all entries: 8 s (OBS's longest usual GOP) at 40 Mbit/s."""

AUDIO_WARM_UP = CLOCK_HZ // 5
"""Audio replayed before the first wanted packet, so that the codecs' overlap is real sound."""


class Backlog:
    """Keeps entries until they are delivered, and says what to send next."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._keyframes: deque[int] = deque()  # pts of the keyframes among the entries
        self._sent = 0  # entries from the left that the present worker has
        self._replayed = 0  # entries that were here when it began: being behind on them is no fault
        self._bytes = 0
        self.needs_keyframe = True
        """Whether video is dropped until the next keyframe."""
        self.delivered_pts = NOTHING_DELIVERED
        self.audio_pts = NOTHING_DELIVERED
        """Audio before this is not needed any more, warming up apart."""
        self.dropped = 0
        """Video packets that no worker will ever get."""

    def push(self, packet: Packet) -> bool:
        """Append a packet; False when it is video that has to be dropped."""
        if packet.is_video:
            if self.needs_keyframe and not packet.is_keyframe:
                self.dropped += 1
                return False
            self.needs_keyframe = False
        self._append(packet)
        return True

    def push_flush(self, number: int) -> None:
        """Append the end of a run; the next run begins with a keyframe."""
        self._append(Flush(number))
        self.needs_keyframe = True

    def next_unsent(self) -> Entry | None:
        """Return the next entry for the worker and count it as sent."""
        while self._sent < len(self._entries):
            entry = self._entries[self._sent]
            self._sent += 1
            if not self._is_old_audio(entry):
                return entry
        return None

    @property
    def is_too_large(self) -> bool:
        """Whether the entries hold too many bytes."""
        return self._bytes > MAX_BYTES

    @property
    def is_overfull(self) -> bool:
        """Whether too much waits to be sent."""
        last = self._entries[-1] if self._entries else None
        for index in range(max(self._sent, self._replayed), len(self._entries)):
            first = self._entries[index]
            if isinstance(first, Packet) and first.is_video:
                return isinstance(last, Packet) and last.dts - first.dts > MAX_WAITING
        return False

    def forget_sent(self) -> None:
        """Forget the packets that the worker has: if it dies, the rest of their GOP is lost."""
        sent, waiting = self._split(self._sent)
        marks = _marks(sent)
        self._replace([*marks, *waiting], len(marks))

    def forget_video(self) -> None:
        """Forget all video: nobody wants frames now, and whoever will can begin at the keyframe that comes next."""
        sent, waiting = self._split(self._sent)
        sent = [entry for entry in sent if not _is_video(entry)]
        self._replace([*sent, *(entry for entry in waiting if not _is_video(entry))], len(sent))

    def clear(self) -> None:
        """Forget everything; the next video has to be a keyframe."""
        self._replace([], 0)
        self.needs_keyframe = True

    def drop_unsent(self) -> int:
        """Drop video that waits, up to the newest keyframe that waits; a `Skip` takes its place. Audio stays.

        Returns:
            No frame before this pts will come beyond those sent.
        """
        sent, waiting = self._split(self._sent)
        keyframes = _keyframe_indices(waiting)
        # A GOP that is too long by itself helps nobody.
        keep_from = keyframes[-1] if len(keyframes) > 1 or (keyframes and keyframes[0] > 0) else len(waiting)
        until = self._give_up(waiting, keep_from)
        others = (entry for entry in waiting[:keep_from] if not _is_video(entry))
        kept = [*others, Skip(until), *waiting[keep_from:]]
        self._replace([*sent, *kept], len(sent))
        return until

    def begin(self, pts: int) -> None:
        """Take all before this pts as delivered, and nothing else: what was delivered before is wanted once more."""
        self.delivered_pts = NOTHING_DELIVERED
        self.deliver(pts - 1)

    def deliver(self, pts: int) -> None:
        """Note that frames up to this pts have been delivered, and forget what no take-over needs."""
        self.delivered_pts = max(self.delivered_pts, pts)
        while len(self._keyframes) > 1 and self._keyframes[1] <= pts:
            self._forget_gop()

    def deliver_audio(self, pts: int) -> None:
        """Note that audio before this pts has been delivered."""
        self.audio_pts = pts
        while self._sent and self._is_old_audio(self._entries[0]):
            self._forget_first()

    def passed(self, mark: Flush | Skip) -> bool:
        """Note that the worker has delivered everything before this mark, which has come back.

        Returns:
            False for one that the worker put there by itself, because it cannot decode at present.
        """
        if mark not in self._entries:
            if isinstance(mark, Skip):
                self.deliver(mark.until_pts - 1)
            return False
        while (entry := self._forget_first()) != mark:
            if isinstance(entry, Packet) and entry.is_video:
                self.delivered_pts = max(self.delivered_pts, entry.pts)
        if isinstance(mark, Skip):
            self.delivered_pts = max(self.delivered_pts, mark.until_pts - 1)
        return True

    def rewind(self) -> int | None:
        """Make everything that is undelivered unsent again: another worker takes over.

        Returns:
            None, or the pts before which frames are lost because their keyframe is not kept any more.
        """
        before, entries = self._split(self._take_over_point())
        first = next((entry for entry in entries if isinstance(entry, Packet) and entry.is_video), None)
        entries = [*self._needed_audio(before), *entries]
        lost_until = None
        if first is not None and not first.is_keyframe:
            lost_until = self._skip_to(entries, 0)
        else:
            self._replace(entries, 0)
        self._replayed = len(self._entries)
        return lost_until

    def current_gop(self) -> int | None:
        """Return the dts of the keyframe from which the first undelivered frame is decoded, None without one."""
        _, entries = self._split(self._take_over_point())
        first = next(iter(_keyframe_indices(entries)), None)
        keyframe = None if first is None else entries[first]
        return keyframe.dts if isinstance(keyframe, Packet) else None

    def skip_gop(self) -> int:
        """Give up the undelivered frames before the next keyframe; for use behind `rewind`.

        Returns:
            No frame before this pts will come.
        """
        _, entries = self._split(0)
        until = self._skip_to(entries, 1)
        self._replayed = len(self._entries)
        return until

    def _skip_to(self, entries: Sequence[Entry], number: int) -> int:
        keyframes = _keyframe_indices(entries)
        keep_from = keyframes[number] if number < len(keyframes) else len(entries)
        until = self._give_up(entries, keep_from)
        self._replace([*_marks(entries[:keep_from]), *entries[keep_from:]], 0)
        self.delivered_pts = max(self.delivered_pts, until - 1)
        return until

    def _give_up(self, entries: Sequence[Entry], count: int) -> int:
        lost = [entry for entry in entries[:count] if isinstance(entry, Packet) and entry.is_video]
        self.dropped += len(lost)
        if count < len(entries) and isinstance(keyframe := entries[count], Packet):
            return keyframe.pts
        self.needs_keyframe = True
        # An IDR's pts is its dts, so the next one lies behind all that was there.
        return max((packet.dts + 1 for packet in lost), default=NOTHING_DELIVERED)

    def _take_over_point(self) -> int:
        before = start = 0
        for index, entry in enumerate(self._entries):
            if not isinstance(entry, Packet):
                break
            if _is_keyframe(entry):
                before, start = start, index
            if entry.is_video and entry.pts > self.delivered_pts:
                return before if start == index and is_open(entry) else start
        return start

    def _is_old_audio(self, entry: Entry) -> bool:
        oldest = self.audio_pts - AUDIO_WARM_UP
        return isinstance(entry, Packet) and not entry.is_video and entry.pts < oldest

    def _needed_audio(self, entries: Sequence[Entry]) -> list[Packet]:
        """Pick the audio that has not been delivered, or that a take-over warms up with."""
        audio = [entry for entry in entries if isinstance(entry, Packet) and not entry.is_video]
        oldest = audio[-1].pts - MAX_WAITING if audio else 0
        return [packet for packet in audio if packet.pts >= oldest and not self._is_old_audio(packet)]

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        if isinstance(entry, Packet):
            self._bytes += len(entry.data)
            if entry.is_video and entry.is_keyframe:
                self._keyframes.append(entry.pts)

    def _forget_gop(self) -> None:
        keyframes, replayed = len(self._keyframes), self._replayed
        forgotten = []
        while len(self._keyframes) == keyframes or not _is_keyframe(self._entries[0]):
            forgotten.append(self._forget_first())
        # Sound lies in the same list, and is delivered at its own pace.
        kept = self._needed_audio(forgotten)
        self._entries.extendleft(reversed(kept))
        self._sent += len(kept)
        self._replayed = max(0, replayed - len(forgotten) + len(kept))
        self._bytes += sum(len(packet.data) for packet in kept)

    def _forget_first(self) -> Entry:
        entry = self._entries.popleft()
        self._sent = max(0, self._sent - 1)
        self._replayed = max(0, self._replayed - 1)
        if isinstance(entry, Packet):
            self._bytes -= len(entry.data)
            if _is_keyframe(entry):
                self._keyframes.popleft()
        return entry

    def _split(self, at: int) -> tuple[list[Entry], list[Entry]]:
        return list(islice(self._entries, at)), list(islice(self._entries, at, None))

    def _replace(self, entries: list[Entry], sent: int) -> None:
        self._entries.clear()
        self._keyframes.clear()
        self._bytes = 0
        self._sent, self._replayed = sent, 0
        for entry in entries:
            self._append(entry)


def _is_video(entry: Entry) -> bool:
    return isinstance(entry, Packet) and entry.is_video


def _is_keyframe(entry: Entry) -> bool:
    return isinstance(entry, Packet) and entry.is_video and entry.is_keyframe


def _keyframe_indices(entries: Sequence[Entry]) -> list[int]:
    return [index for index, entry in enumerate(entries) if _is_keyframe(entry)]


def _marks(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if not isinstance(entry, Packet)]
