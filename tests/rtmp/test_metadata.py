from __future__ import annotations

import pytest

from rtmp.metadata import bitrates_bps


@pytest.mark.parametrize(
    ("name", "metadata", "bitrates"),
    [
        ("nothing", {}, {}),
        ("main track", {"videodatarate": 2500.0, "audiodatarate": 1.0}, {0: 2_500_000}),
        (
            "several tracks",
            {
                "videodatarate": 2500.0,
                "videoTrackIdInfoMap": {"1": {"videodatarate": 1.5}, "255": {"videodatarate": 9.0}},
            },
            {0: 2_500_000, 1: 1500, 255: 9000},
        ),
        (
            "no sane numbers",
            {
                "videodatarate": 0.0,
                "videoTrackIdInfoMap": {"1": {"videodatarate": "many"}, "2": {}, "3": 5.0},
            },
            {},
        ),
        (
            "keys that are no ids of other tracks",
            {
                "videoTrackIdInfoMap": {
                    key: {"videodatarate": 1.0} for key in ("0", "256", "-1", "x", "", "1.0")
                }
            },
            {},
        ),
        ("a map that is none", {"videoTrackIdInfoMap": [1.0]}, {}),
        ("not a number", {"videodatarate": float("nan")}, {}),
    ],
)
def test_bitrates_by_track(name: str, metadata: dict[str, object], bitrates: dict[int, int]) -> None:
    assert bitrates_bps(metadata, "video") == bitrates
