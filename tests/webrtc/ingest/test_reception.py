from __future__ import annotations

import pytest

from webrtc.ingest.reception import Reception


def test_nothing_is_said_of_nothing() -> None:
    assert Reception(90_000).report(1, 0.0) is None


def test_losses() -> None:
    reception = Reception(90_000)
    for sequence in range(65_530, 65_550):
        if sequence not in (65_533, 65_540, 65_541, 65_542, 65_543):
            reception.note_packet(sequence, 0, 0.0)
    report = reception.report(7, 0.0)
    assert report is not None
    assert (report.ssrc, report.packets_lost, report.fraction_lost) == (7, 5, 64)
    assert report.highest_sequence == 1 << 16 | 13
    reception.note_packet(65_550, 0, 0.0)
    later = reception.report(7, 0.0)
    assert later is not None
    assert (later.packets_lost, later.fraction_lost) == (5, 0)
    idle = reception.report(7, 0.0)
    assert idle is not None
    assert idle.fraction_lost == 0


def test_more_than_was_sent_is_no_loss() -> None:
    reception = Reception(90_000)
    for _ in range(3):
        reception.note_packet(1, 0, 0.0)
    report = reception.report(1, 0.0)
    assert report is not None
    assert (report.packets_lost, report.fraction_lost) == (-2, 0)


def test_jitter_over_the_wrap_of_timestamps() -> None:
    steady, shaken = Reception(90_000), Reception(90_000)
    for index in range(1000):
        timestamp = (0xFFFF_0000 + 3000 * index) & 0xFFFFFFFF
        steady.note_packet(index, timestamp, index / 30)
        shaken.note_packet(index, timestamp, index / 30 + 0.01 * (index % 2))
    one, other = steady.report(1, 0.0), shaken.report(1, 0.0)
    assert one is not None
    assert other is not None
    assert one.jitter < 3
    assert other.jitter == pytest.approx(900, rel=0.01)


def test_the_last_sender_report_is_repeated() -> None:
    reception = Reception(90_000)
    reception.note_packet(1, 0, 0.0)
    first = reception.report(1, 5.0)
    assert first is not None
    assert (first.lsr, first.dlsr) == (0, 0)
    reception.note_report(0x1122_3344_5566_7788, 10.0)
    report = reception.report(1, 10.5)
    assert report is not None
    assert (report.lsr, report.dlsr) == (0x3344_5566, 0x8000)


def test_who_begins_anew_is_counted_anew() -> None:
    reception = Reception(90_000)
    reception.note_packet(1, 0, 0.0)
    reception.note_packet(60_000, 0, 0.0)
    reception.note_packet(60_002, 0, 0.0)
    report = reception.report(1, 0.0)
    assert report is not None
    assert (report.packets_lost, report.highest_sequence) == (1, 60_002)
