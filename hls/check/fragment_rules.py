"""Rules of fMP4: initialization sections, segments and parts (3.1.2; Apple 1, 7 and 8)."""

from __future__ import annotations

from media.error import PeerError

from .boxes import BoxError
from .facts import SegmentFacts, TrackFacts
from .finding import Place, Report, Rule, Severity
from .fragment import Fragments, TrackRun, read_fragments
from .initialization import Initialization, read_initialization
from .media_playlist import Part, Segment

_CONTENT = {"styp", "sidx", "ssix", "moof", "mdat", "emsg", "prft", "free", "skip", "uuid", "meta"}
MAX_PRIMING_S = 0.1
"""Of sound that an encoder puts in front: AAC has 1024 to 2112 samples."""
_ENCRYPTED = ("encv", "enca")

INIT = Rule("fmp4-init", "3.1.2", Severity.ERROR, "an initialization section can be read and has `moov`")
INIT_BOXES = Rule(
    "fmp4-init-boxes", "3.1.2", Severity.ERROR, "an initialization section has `ftyp`, `mvex` and no media"
)
INIT_EDITS = Rule(
    "fmp4-init-edits",
    "3.1.2",
    Severity.WARNING,
    "no edit list delays a track, or cuts more of it than its encoder put in front",
)
INIT_HVC1 = Rule("fmp4-hvc1", "Apple 1", Severity.WARNING, "HEVC is `hvc1` and not `hev1`")
MAP = Rule("fmp4-map", "3.1.2, Apple 8.20", Severity.ERROR, "an EXT-X-MAP applies to each segment of fMP4")
READABLE = Rule("fmp4-readable", "3.1.2", Severity.ERROR, "segments and parts are movie fragments")
BOXES = Rule("fmp4-boxes", "3.1.2", Severity.ERROR, "there is media, and no other boxes than its own")
FRAGMENT = Rule(
    "fmp4-fragment", "3.1.2", Severity.ERROR, "each fragment has its time (`tfdt`) and its samples (`mdat`)"
)
CONTINUOUS = Rule(
    "fmp4-continuous",
    "Apple 7.3",
    Severity.ERROR,
    "decoding times go on where the fragment or segment before ended, up to a discontinuity",
)
DURATION = Rule(
    "fmp4-duration", "Apple 8.1", Severity.WARNING, "EXTINF and DURATION are true within one frame"
)
KEY_FIRST = Rule(
    "fmp4-key-first", "Apple 7.4", Severity.ERROR, "a segment of video starts with an IDR (or IRAP) picture"
)
SYNC_TRUE = Rule(
    "fmp4-sync-true",
    "3",
    Severity.ERROR,
    "the first sample is marked as sync if, and only if, it is a key picture",
)
OFFSETS = Rule("fmp4-offsets", "3.1.2", Severity.WARNING, "composition offsets are not negative")
INDEPENDENT = Rule(
    "fmp4-independent", "4.4.4.9", Severity.WARNING, "a part with a key picture, and no other, is INDEPENDENT"
)
PART_BYTES = Rule("fmp4-part-bytes", "3", Severity.ERROR, "the bytes of a segment are those of its parts")


class FragmentChecker:
    """Judges the fMP4 of one media playlist in the order in which it comes."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._ends: dict[tuple[bool, int], tuple[tuple[int, int], int]] = {}
        """By (is a part, track): number of what came last with its part, and where it ended."""

    def initialization(self, data: bytes, address: str) -> Initialization | None:
        """Judge an initialization section; None when it cannot be read."""
        place, report = Place(address), self._report
        try:
            found = read_initialization(data)
        except PeerError as error:
            report.expect(INIT, False, place, str(error))
            return None
        report.expect(INIT, bool(found.tracks), place, "it has no track")
        media = {"moof", "mdat"} & set(found.kinds)
        has_all = "ftyp" in found.kinds and found.has_extends and not media
        report.expect(INIT_BOXES, has_all, place, f"it holds {', '.join(found.kinds)}")
        for track in found.tracks.values():
            detail = (
                f"track {track.id} ({track.kind}) begins {track.shift} ticks in, after {track.empty_edit}"
            )
            # Muxers cut what reordering of pictures and the encoder's delay of sound put in front, and should.
            is_delay = track.kind == "video" or track.shift <= MAX_PRIMING_S * track.timescale
            report.expect(INIT_EDITS, not track.empty_edit and is_delay, place, detail)
            if track.kind == "video":
                report.expect(INIT_HVC1, track.entry not in ("hev1", "dvhe"), place, f"it is `{track.entry}`")
        return found

    def segment(self, data: bytes, segment: Segment, initialization: Initialization) -> SegmentFacts | None:
        """Judge a whole segment; None when it cannot be read."""
        place = segment.line.place(self._name)
        found = self._read(data, initialization, place)
        if found is None:
            return None
        after = None if segment.is_discontinuity else (segment.msn - 1, -1)
        self._check_times(found, (segment.msn, -1), place, is_part=False, after=after)
        facts = _facts(found, len(data))
        label = f"segment {segment.msn}"
        self._check_duration(facts, segment.length_s, place, label)
        for run in found.runs.values():
            self._check_first(run, place, label)
        return facts

    def i_frame(self, data: bytes, segment: Segment, initialization: Initialization) -> None:
        """Judge a segment of an I-frame playlist: one key picture, whose EXTINF reaches to the next one (4.4.3.6)."""
        place = segment.line.place(self._name)
        found = self._read(data, initialization, place)
        for run in found.runs.values() if found is not None else ():
            self._check_first(run, place, f"I-frame {segment.msn}")

    def part(
        self,
        data: bytes,
        part: Part,
        where: tuple[int, int],
        initialization: Initialization,
        *,
        after: tuple[int, int] | None,
    ) -> SegmentFacts | None:
        """Judge a part; None when it cannot be read.

        Args:
            data: its bytes.
            part: what the playlist says.
            where: number of its segment, and its index.
            initialization: what applies to it.
            after: number and index of the part that it goes on from, None behind a discontinuity or what is unknown.
        """
        place = part.line.place(self._name)
        found = self._read(data, initialization, place)
        if found is None:
            return None
        self._check_times(found, where, place, is_part=True, after=after)
        facts = _facts(found, len(data))
        self._check_duration(facts, part.duration_s, place, f"part {where[0]}.{where[1]}")
        video = [run for run in found.runs.values() if run.track.kind == "video"]
        if video:
            has_key = any(run.has_key for run in video)
            detail = "it has one" if has_key else "it has none"
            self._report.expect(INDEPENDENT, has_key == part.is_independent, place, f"key picture: {detail}")
        return facts

    def _read(self, data: bytes, initialization: Initialization, place: Place) -> Fragments | None:
        try:
            found = read_fragments(data, initialization)
            if not found.runs:
                raise BoxError(f"no movie fragment among {', '.join(found.kinds[:9]) or 'no boxes'}")
        except PeerError as error:
            self._report.expect(READABLE, False, place, str(error))
            return None
        self._report.expect(READABLE, True, place, "")
        self._report.seen["boxes"] += len(found.kinds)
        self._report.seen["samples"] += sum(run.samples for run in found.runs.values())
        foreign = set(found.kinds) - _CONTENT
        self._report.expect(BOXES, not foreign, place, f"there is {', '.join(sorted(foreign))}")
        self._report.expect(FRAGMENT, not found.faults, place, "; ".join(found.faults[:3]))
        return found

    def _check_times(
        self,
        found: Fragments,
        where: tuple[int, int],
        place: Place,
        *,
        is_part: bool,
        after: tuple[int, int] | None,
    ) -> None:
        for run in found.runs.values():
            track = run.track
            tolerance = max(1, run.largest_duration // 2)
            inner = max((abs(step) for step in run.breaks), default=0)
            detail = f"track {track.id} ({track.kind}): a fragment begins {inner} ticks off within it"
            self._report.expect(CONTINUOUS, inner <= tolerance, place, detail)
            last = self._ends.get((is_part, track.id))
            self._ends[is_part, track.id] = (where, run.end)
            if last is None or last[0] != after:
                continue
            off = run.start - last[1]
            detail = f"track {track.id} ({track.kind}) begins {off} of {track.timescale} ticks off"
            self._report.expect(CONTINUOUS, abs(off) <= tolerance, place, detail)

    def _check_duration(self, facts: SegmentFacts, stated_s: float, place: Place, label: str) -> None:
        main = facts.main
        if main is not None:
            detail = f"{label} lasts {main.duration_s:.4f} s, the playlist says {stated_s:.4f} s"
            holds = abs(main.duration_s - stated_s) <= main.frame_s + 0.001
            self._report.expect(DURATION, holds, place, detail)

    def _check_first(self, run: TrackRun, place: Place, label: str) -> None:
        if run.track.kind != "video" or not run.samples or run.track.entry in _ENCRYPTED:
            return
        detail = f"{label} starts with another picture"
        is_key = run.is_first_key if run.is_first_key is not None else run.is_first_sync
        self._report.expect(KEY_FIRST, bool(is_key), place, detail)
        if run.is_first_key is not None:
            detail = f"{label}: marked as sync: {run.is_first_sync}, key picture: {run.is_first_key}"
            self._report.expect(SYNC_TRUE, run.is_first_key == run.is_first_sync, place, detail)
        self._report.expect(OFFSETS, run.least_offset >= 0, place, f"{label}: down to {run.least_offset}")


def _facts(found: Fragments, size_bytes: int) -> SegmentFacts:
    tracks: dict[str, TrackFacts] = {}
    for run in found.runs.values():
        if run.start_s is not None and run.track.kind in ("video", "audio"):
            facts = TrackFacts(
                kind=run.track.kind,
                start_s=run.start_s,
                duration_s=run.duration_s,
                frame_s=run.frame_s,
                frames=run.samples,
                is_key_first=run.is_first_key,
            )
            tracks.setdefault(run.track.kind, facts)
    return SegmentFacts("fmp4", size_bytes, tracks)
