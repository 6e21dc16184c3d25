"""Numbers of packets over changes of flow."""

from __future__ import annotations

from webrtc.channel.history import History
from webrtc.rtp.flow import Flow


def flow() -> Flow:
    return Flow(1, 0, 90_000, first_index=0, keep_s=1.0, max_bytes=0)


def test_numbers_go_on_over_flows() -> None:
    history = History(100)
    one, other = flow(), flow()
    history.begin(one, 5000)
    history.note_sent(5010)
    history.begin(other, 70_000)
    history.note_sent(70_003)
    assert history.next_sequence == 113
    assert history.find(100) == (one, 5000)
    assert history.find(109) == (one, 5009)
    assert history.find(110) == (other, 70_000)
    assert history.find(112) == (other, 70_002)
    assert history.find(113) is None
    assert history.find(99) is None


def test_numbers_wrap() -> None:
    history = History(0x7FFF)
    one = flow()
    history.begin(one, 0)
    history.note_sent(100_000)
    assert history.find((0x7FFF + 99_999) & 0xFFFF) == (one, 99_999)
    assert history.find((0x7FFF + 99_999 - 30_000) & 0xFFFF) == (one, 69_999)
    assert history.find((0x7FFF + 100_000) & 0xFFFF) is None


def test_who_comes_back_has_his_old_numbers() -> None:
    history = History(100)
    one = flow()
    history.begin(one, 10)
    history.note_sent(20)
    history.begin(one, 20)
    assert history.offset == 90
    history.begin(one, 15)
    assert history.offset == 90
    assert history.next_sequence == 110
    history.begin(one, 40)
    assert history.offset == 70


def test_what_is_long_gone_is_not_found() -> None:
    history = History(0)
    for number in range(40):
        history.begin(flow(), 1000 * number)
        history.note_sent(1000 * number + 2)
    assert history.find(79) is not None
    assert history.find(0) is None
