"""What a deployment decides about HLS."""

from __future__ import annotations

from dataclasses import dataclass

from media.packet import CLOCK_HZ


@dataclass(frozen=True, slots=True)
class HlsConfig:
    """Durations and budgets of every broadcast; constants for the life of a playlist."""

    segment_s: float = 2.0
    """Wanted length of a segment."""
    part_s: float = 0.5
    """EXT-X-PART-INF:PART-TARGET; no part is ever longer."""
    target_duration_s: int = 5
    """EXT-X-TARGETDURATION; no segment is ever longer, when rounded."""
    window_s: float = 60.0
    """How much the playlist lists: how far viewers can rewind. Without an archive no more than `memory_s`."""
    memory_s: float = 60.0
    """How much is listed when memory is all there is."""
    window_bytes: int = 256 << 20
    """Media kept in memory for one broadcast, all renditions together."""
    has_keyframe_playlists: bool = True
    """Whether rungs have I-frame playlists."""

    @property
    def segment_ticks(self) -> int:
        """`segment_s` in ticks."""
        return round(self.segment_s * CLOCK_HZ)

    @property
    def part_ticks(self) -> int:
        """`part_s` in ticks, rounded down: a part must never be longer."""
        return int(self.part_s * CLOCK_HZ)

    @property
    def target_duration_ticks(self) -> int:
        """`target_duration_s` in ticks."""
        return self.target_duration_s * CLOCK_HZ

    @property
    def held_s(self) -> float:
        """How much is in memory where older segments come from disk: what may be asked for by its parts (6.2.2)."""
        return 6.0 * self.target_duration_s

    @property
    def hold_limit_s(self) -> float:
        """How long a blocking request may wait before 503 (draft-pantos-hls-rfc8216bis, 6.2.5.2)."""
        return 3.0 * self.target_duration_s

    @property
    def skip_boundary_s(self) -> float:
        """CAN-SKIP-UNTIL: at least six target durations (4.4.3.8)."""
        return 6.0 * self.target_duration_s
