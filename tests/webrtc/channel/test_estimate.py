"""Which rung suits a path: a table of paths, second by second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from webrtc.channel.estimate import Choice, Estimate, Step

LADDER = [Step("1080p", 5_000_000), Step("720p", 2_500_000), Step("480p", 1_200_000), Step("360p", 600_000)]
PACKETS_PER_S = 250


@dataclass
class Path:
    """What a viewer reports each second, as a function of the second and the bitrate he gets."""

    bandwidth: Callable[[int, int], int | None] = lambda _, bps: int(1.5 * bps)
    loss: Callable[[int, int], float] = lambda *_: 0.0
    rtt_s: Callable[[int, int], float] = lambda *_: 0.05
    is_silent: Callable[[int], bool] = lambda _: False
    seen: list[str] = field(default_factory=list)

    def watch(self, start: str, seconds: int) -> list[str]:
        """Return the rungs that are got, each second."""
        estimate = Estimate(0.0)
        current, highest, lost = start, 1000, 0
        bitrates = {step.name: step.bitrate_bps for step in LADDER}
        for second in range(seconds):
            bps = bitrates[current]
            highest += PACKETS_PER_S
            lost += round(PACKETS_PER_S * self.loss(second, bps))
            if not self.is_silent(second):
                estimate.path.note_arrival(highest, lost, second)
                estimate.path.note_round_trip(self.rtt_s(second, bps), second)
                if (bandwidth_bps := self.bandwidth(second, bps)) is not None:
                    estimate.path.note_bandwidth(bandwidth_bps, second)
            choice = estimate.choose(LADDER, current, second)
            if choice is not None:
                estimate.note_change(is_up=bitrates[choice.name] > bps, now=second)
                current = choice.name
            self.seen.append(current)
        return self.seen


def is_never_below(start: str) -> Callable[[list[str]], bool]:
    names = [step.name for step in LADDER]
    return lambda seen: all(names.index(name) <= names.index(start) for name in seen)


def bottleneck(capacity_bps: int, buffer_s: float = 0.3) -> Path:
    """Return a path that carries so much; Chromium says 0.85 of it when there is a queue, else 1.5 of what it gets."""
    return Path(
        bandwidth=lambda _, bps: int(0.85 * capacity_bps) if bps > capacity_bps else int(1.5 * bps),
        loss=lambda _, bps: max(0.0, 1 - capacity_bps / bps) if bps > 1.5 * capacity_bps else 0.0,
        rtt_s=lambda _, bps: 0.05 + (buffer_s if bps > capacity_bps else 0.0),
    )


CASES: list[tuple[str, Path, str, int, Callable[[list[str]], bool]]] = [
    ("good path climbs to the top", Path(), "720p", 20, lambda seen: seen[-1] == "1080p"),
    ("not in the first five seconds", Path(), "720p", 5, lambda seen: set(seen) == {"720p"}),
    (
        "good path without REMB climbs by trials",
        Path(bandwidth=lambda *_: None),
        "360p",
        40,
        lambda seen: seen[-1] == "1080p",
    ),
    (
        "1 % of random loss leads nowhere but up",
        Path(loss=lambda *_: 0.01),
        "720p",
        40,
        is_never_below("720p"),
    ),
    (
        "5 % of random loss does not lead down while REMB holds",
        Path(loss=lambda *_: 0.05),
        "720p",
        60,
        is_never_below("720p"),
    ),
    (
        "12 % of random loss does not either",
        Path(loss=lambda *_: 0.12, bandwidth=lambda _, bps: int(1.2 * bps)),
        "720p",
        30,
        is_never_below("720p"),
    ),
    (
        "12 % of loss without REMB leads down",
        Path(loss=lambda *_: 0.12, bandwidth=lambda *_: None),
        "720p",
        10,
        lambda seen: seen[-1] != "720p",
    ),
    (
        "narrow path: at the fitting rung within three seconds",
        bottleneck(1_500_000),
        "1080p",
        4,
        lambda seen: seen[-1] == "480p",
    ),
    (
        "narrow path: tries again, but more and more seldom",
        bottleneck(1_500_000),
        "480p",
        200,
        lambda seen: 0 < seen.count("720p") < 20 and seen[-1] == "480p" and "1080p" not in seen,
    ),
    (
        "path that gets narrow and wide again",
        Path(
            bandwidth=lambda second, bps: 500_000 if 10 <= second < 20 else int(1.5 * bps),
            rtt_s=lambda second, _: 0.4 if 10 <= second < 20 else 0.05,
        ),
        "720p",
        60,
        lambda seen: "360p" in seen[10:14] and seen[-1] == "1080p",
    ),
    (
        "REMB that collapses with a queue",
        Path(
            bandwidth=lambda second, bps: 300_000 if second >= 8 else bps,
            rtt_s=lambda second, _: 0.05 if second < 8 else 0.5,
        ),
        "720p",
        10,
        lambda seen: seen[-1] == "360p",
    ),
    (
        "REMB a little low without a queue is given time",
        Path(bandwidth=lambda _, bps: int(0.85 * bps)),
        "720p",
        3,
        lambda seen: set(seen) == {"720p"},
    ),
    (
        "REMB low for long without a queue leads down",
        Path(bandwidth=lambda *_: 1_900_000),
        "720p",
        6,
        lambda seen: seen[-1] == "480p",
    ),
    (
        "REMB a little low for long, and nothing else, leads nowhere",
        Path(bandwidth=lambda *_: 2_150_000),
        "720p",
        20,
        lambda seen: set(seen) == {"720p"},
    ),
    (
        "with some loss it leads down",
        Path(bandwidth=lambda *_: 2_150_000, loss=lambda *_: 0.04),
        "720p",
        8,
        lambda seen: seen[-1] == "480p",
    ),
    (
        "a longer way is no queue for ever",
        Path(
            bandwidth=lambda second, bps: 200_000 if 8 <= second < 10 else int(1.5 * bps),
            rtt_s=lambda second, _: 0.01 if second < 8 else 0.21,
        ),
        "720p",
        60,
        lambda seen: "360p" in seen[8:12] and seen.index("720p", 12) < 40 and seen[-1] == "1080p",
    ),
    (
        "REMB that still learns does not",
        Path(bandwidth=lambda second, _: int(600_000 * 1.08**second)),
        "720p",
        20,
        is_never_below("720p"),
    ),
    (
        "REMB says how far up it goes",
        Path(bandwidth=lambda *_: 4_000_000),
        "360p",
        8,
        lambda seen: seen[-1] == "720p",
    ),
    (
        "a blackout leads down and comes back",
        Path(loss=lambda second, _: 0.5 if second == 10 else 0.0),
        "1080p",
        40,
        lambda seen: seen[9] == "1080p" and seen[11] == "720p" and seen[-1] == "1080p",
    ),
    (
        "queue that grows without REMB",
        Path(bandwidth=lambda *_: None, rtt_s=lambda second, _: 0.05 + 0.2 * max(0, second - 5)),
        "720p",
        12,
        lambda seen: seen[-1] in ("480p", "360p"),
    ),
    (
        "silence leads nowhere",
        Path(is_silent=lambda second: second > 1),
        "720p",
        30,
        lambda seen: set(seen) == {"720p"},
    ),
    (
        "long but steady path climbs as any other",
        Path(rtt_s=lambda *_: 0.6),
        "720p",
        20,
        lambda seen: seen[-1] == "1080p",
    ),
    ("smallest rung stays", bottleneck(100_000), "360p", 20, lambda seen: set(seen) == {"360p"}),
]


@pytest.mark.parametrize(
    ("path", "start", "seconds", "is_right"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_paths(path: Path, start: str, seconds: int, is_right: Callable[[list[str]], bool]) -> None:
    seen = path.watch(start, seconds)
    assert is_right(seen), seen


def test_rung_that_is_not_in_the_ladder_is_left_alone() -> None:
    assert Estimate(0.0).choose(LADDER, "2160p", 100.0) is None


def test_congestion_is_urgent_and_loss_is_not() -> None:
    estimate = Estimate(0.0)
    estimate.path.note_bandwidth(500_000, 5.0)
    for rtt_s in (0.05, 0.4, 0.5):
        estimate.path.note_round_trip(rtt_s, 5.0)
    assert estimate.choose(LADDER, "720p", 5.0) == Choice("360p", is_urgent=True)
    lossy = Estimate(0.0)
    for second in range(5):
        lossy.path.note_arrival(1000 + 200 * second, 40 * second, second)
    assert lossy.choose(LADDER, "720p", 5.0) == Choice("480p", is_urgent=False)


def test_reports_on_few_packets_say_nothing() -> None:
    estimate = Estimate(0.0)
    estimate.path.note_arrival(1000, 0, 0.0)
    estimate.path.note_arrival(1003, 3, 1.0)
    assert estimate.path.losses[-1] == 0.0
    estimate.path.note_arrival(1100, 3, 2.0)
    assert estimate.path.losses[-1] == 0.03


def test_report_that_was_overtaken_says_nothing() -> None:
    estimate = Estimate(0.0)
    estimate.path.note_arrival(1000, 0, 0.0)
    estimate.path.note_arrival(900, 0, 2.0)
    assert list(estimate.path.losses) == [0.0, 0.0]
