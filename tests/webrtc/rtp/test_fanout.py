"""Both fan-outs over real sockets; what arrives is decrypted with the viewers' keys."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.webrtc.rtp.conftest import MakeFanOut
from tests.webrtc.rtp.receiver import PLAIN, VARIANT, VIDEO_SSRC, Receiver, make_burst, make_flow, open_socket
from webrtc.rtp.fanout import make_fanout
from webrtc.rtp.native_fanout import LIBRARY, NativeFanOut, NativeSocket
from webrtc.rtp.packet import parse_rtp
from webrtc.rtp.python_fanout import PythonFanOut
from webrtc.transport.route import Route

NOT_ALLOWED = Route(("255.255.255.255", 9))
"""The kernel refuses to send there from a socket that may not broadcast."""
IP_PKTINFO, IP_RECVERR, SO_NO_CHECK = 8, 11, 11
IPV6_PKTINFO = 50

MakeReceiver = Callable[..., Receiver]


def sequences(packets: list[bytes]) -> list[int]:
    return [parse_rtp(packet).sequence for packet in packets]


def test_everybody_gets_the_frame(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    burst = make_burst(40, *[1160] * 60, 700, first_index=0x30)
    viewers = [receivers(key=number) for number in range(1, 8)]
    lines = [viewer.line(offset=0x1000 * number) for number, viewer in enumerate(viewers)]
    assert make(sender).send(burst.batches(VARIANT), lines) == []
    for number, viewer in enumerate(viewers):
        expected = [
            packet[:2] + struct.pack("!H", 0x1000 * number + 0x30 + place) + packet[4:]
            for place, packet in enumerate(burst.packets(VARIANT))
        ]
        assert viewer.packets() == expected


def test_lines_count_what_was_sent(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    fanout, line = make(sender), receivers().line()
    for burst in (make_burst(40, 1160, 1160, 7), make_burst(100, first_index=4)):
        fanout.send(burst.batches(VARIANT), [line])
    assert (line.sent_packets, line.sent_octets) == (5, 40 + 1160 + 1160 + 7 + 100)


@pytest.mark.parametrize("profile", [0, 1, 2], ids=["gcm128", "gcm256", "cm"])
def test_each_protection(
    make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver, profile: int
) -> None:
    burst = make_burst(1160, 1160, 300)
    viewer = receivers(profile=profile)
    assert make(sender).send(burst.batches(VARIANT), [viewer.line()]) == []
    assert viewer.packets() == burst.packets(VARIANT)


def test_protections_side_by_side(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    burst = make_burst(1160, 1160, 300)
    viewers = [receivers(profile=number % 3, key=number) for number in range(6)]
    assert make(sender).send(burst.batches(VARIANT), [viewer.line() for viewer in viewers]) == []
    assert all(viewer.packets() == burst.packets(VARIANT) for viewer in viewers)


def test_numbers_go_round(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    flow, fanout, viewer = make_flow(first_index=0x1_0000_7FF0), make(sender), receivers()
    line = viewer.line()
    for frame in range(10):
        burst = flow.add([b"a" * 1160] * 12, 3000 * frame, 0.0, is_keyframe=False)
        line.offset = 0x7FF0
        fanout.send(burst.batches(VARIANT), [line])
    assert sequences(viewer.packets()) == [(0xFFE0 + number) % 0x10000 for number in range(120)]


def test_the_offset_may_change_between_frames(
    make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver
) -> None:
    fanout, viewer = make(sender), receivers()
    line = viewer.line(offset=100)
    fanout.send(make_burst(50, 50).batches(VARIANT), [line])
    line.offset = 102 - 500
    fanout.send(make_burst(50, 50, first_index=500).batches(VARIANT), [line])
    assert sequences(viewer.packets()) == [100, 101, 102, 103]


def test_both_ways_send_the_very_same(library: Path, sender: NativeSocket, receivers: MakeReceiver) -> None:
    burst = make_burst(30, *[1161] * 40, 5, 1160, 1160, 12)
    seen = []
    for fanout in (PythonFanOut(sender), NativeFanOut(sender, library)):
        viewer = receivers(variant=PLAIN)
        fanout.send(burst.batches(PLAIN), [viewer.line(offset=9)])
        seen.append(viewer.datagrams())
    assert seen[0] == seen[1]
    assert len(seen[0]) == burst.count


def test_many_lines_take_many_calls(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    burst = make_burst(*[1160] * 20)
    viewers = [receivers(key=number) for number in range(80)]
    assert make(sender).send(burst.batches(VARIANT), [viewer.line() for viewer in viewers]) == []
    assert all(viewer.packets() == burst.packets(VARIANT) for viewer in viewers)


def test_nobody_and_nothing(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    viewer = receivers()
    assert make(sender).send(make_burst(50).batches(VARIANT), []) == []
    assert make(sender).send([], [viewer.line()]) == []
    assert viewer.datagrams() == []


def test_a_refusal_concerns_one_line(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    viewers = [receivers(key=number) for number in range(5)]
    lines = [viewer.line() for viewer in viewers]
    for number in (1, 4):
        lines[number].route = NOT_ALLOWED
    fanout, flow = make(sender), make_flow()
    for frame in range(2):
        burst = flow.add([b"a" * 300] * 40, frame, 0.0, is_keyframe=False)
        assert fanout.send(burst.batches(VARIANT), lines) == [lines[1], lines[4]]
        assert [len(viewer.packets()) for viewer in viewers] == [40, 0, 40, 40, 0]
    assert [line.sent_packets for line in lines] == [80, 0, 80, 80, 0]


def test_a_line_takes_its_new_route(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    fanout, viewer = make(sender), receivers()
    line = viewer.line(route=NOT_ALLOWED)
    burst = make_burst(50, 50)
    assert fanout.send(burst.batches(VARIANT), [line]) == [line]
    line.route = Route(viewer.socket.getsockname())
    assert fanout.send(burst.batches(VARIANT), [line]) == []
    assert len(viewer.packets()) == 2


def test_a_route_that_takes_no_runs(make: MakeFanOut, receivers: MakeReceiver) -> None:
    flow = make_flow()
    viewers = [receivers(key=number) for number in range(3)]
    lines = [viewer.line() for viewer in viewers]
    with open_socket("127.0.0.1") as sock:
        # Who cannot calculate checksums cannot cut runs (EIO).
        sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        fanout = make(sock)
        for frame in range(3):
            burst = flow.add([b"a" * 1160] * 30 + [b"b" * 100], frame, 0.0, is_keyframe=False)
            assert fanout.send(burst.batches(VARIANT), lines) == []
            assert all(viewer.packets() == burst.packets(VARIANT) for viewer in viewers)
    assert [line.sent_packets for line in lines] == [93] * 3


def test_one_route_takes_no_runs(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    """What is known of one line changes nothing for its neighbours."""
    burst = make_burst(*[1160] * 30, 100)
    viewers = [receivers(key=number) for number in range(3)]
    lines = [viewer.line() for viewer in viewers]
    with open_socket("127.0.0.1") as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        make(sock).send(burst.batches(VARIANT), lines[1:2])
    viewers[1].datagrams()
    fanout = make(sender)
    assert fanout.send(burst.batches(VARIANT), lines) == []
    assert [len(viewer.datagrams()) for viewer in viewers] == [31, 31, 31]


def test_an_earlier_packets_error_stops_nobody(make: MakeFanOut, receivers: MakeReceiver) -> None:
    viewer = receivers()
    with open_socket("127.0.0.1") as gone:
        nobody = Route(gone.getsockname())
    with open_socket("127.0.0.1") as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sock.sendto(
            b"x", nobody.address
        )  # ICMP says at once that nobody is there, and the next call gets to hear it
        assert make(sock).send(make_burst(50, 50).batches(VARIANT), [viewer.line()]) == []
    assert len(viewer.packets()) == 2


def test_an_answer_leaves_from_the_address_that_was_asked(make: MakeFanOut, receivers: MakeReceiver) -> None:
    viewer = receivers()
    source = (
        socket.IPPROTO_IP,
        IP_PKTINFO,
        struct.pack("=I4s4s", 0, socket.inet_aton("127.0.0.2"), bytes(4)),
    )
    line = viewer.line(route=Route(viewer.socket.getsockname(), (source,)))
    with open_socket("") as sock:
        assert make(sock).send(make_burst(50, 1160, 1160).batches(VARIANT), [line]) == []
        port = sock.getsockname()[1]
    for _ in range(3):
        datagram, address = viewer.socket.recvfrom(2000)
        assert address == ("127.0.0.2", port)
        viewer.srtp.unprotect_rtp(datagram)


def test_ipv6(make: MakeFanOut, receivers: MakeReceiver) -> None:
    viewer = receivers(host="::1")
    source = (
        socket.IPPROTO_IPV6,
        IPV6_PKTINFO,
        socket.inet_pton(socket.AF_INET6, "::1") + struct.pack("=I", 0),
    )
    line = viewer.line(route=Route(viewer.socket.getsockname(), (source,)))
    with open_socket("::", is_dual=True) as sock:
        assert make(sock).send(make_burst(1160, 1160, 20).batches(VARIANT), [line]) == []
    assert len(viewer.packets()) == 3


def test_ipv4_through_a_socket_of_both_kinds(make: MakeFanOut, receivers: MakeReceiver) -> None:
    viewer = receivers()
    host, port = viewer.socket.getsockname()
    line = viewer.line(route=Route((f"::ffff:{host}", port, 0, 0)))
    with open_socket("::", is_dual=True) as sock:
        assert make(sock).send(make_burst(1160, 1160, 20).batches(VARIANT), [line]) == []
    assert len(viewer.packets()) == 3


def test_an_address_of_another_kind_is_a_refusal(
    make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver
) -> None:
    viewer = receivers()
    lines = [viewer.line(route=Route(("::1", 5))), viewer.line()]
    assert make(sender).send(make_burst(50).batches(VARIANT), lines) == lines[:1]
    assert len(viewer.packets()) == 1


def test_a_closed_socket_is_a_refusal(make: MakeFanOut, receivers: MakeReceiver) -> None:
    viewer = receivers()
    with open_socket("127.0.0.1") as sock:
        fanout = make(sock)
    line = viewer.line()
    assert fanout.send(make_burst(50, 50).batches(VARIANT), [line]) == [line]
    assert not fanout.send_packet(line, make_burst(50).packets(VARIANT)[0])
    assert not fanout.send_rtcp(line.srtp, line.route, bytes.fromhex("80c90001deadbeef"))


def test_a_packet_is_sent_again(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    burst, viewer, fanout = make_burst(50, 60), receivers(), make(sender)
    line = viewer.line()
    fanout.send(burst.batches(VARIANT), [line])
    first = viewer.datagrams()
    assert fanout.send_packet(line, burst.packets(VARIANT)[1])
    assert viewer.datagrams() == first[1:]
    assert line.sent_packets == 2


def test_reports_are_sent(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    viewer = receivers()
    report = bytes.fromhex("80c90001deadbeef")
    assert make(sender).send_rtcp(viewer.sending, Route(viewer.socket.getsockname()), report)
    assert [viewer.srtp.unprotect_rtcp(datagram) for datagram in viewer.datagrams()] == [report]


def test_what_cannot_be_protected_is_a_refusal(
    make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver
) -> None:
    viewer, fanout = receivers(), make(sender)
    line = viewer.line()
    assert not fanout.send_packet(line, bytes(2000))
    assert not fanout.send_rtcp(viewer.sending, line.route, bytes(2000))


def test_the_ssrc_is_the_flows(make: MakeFanOut, sender: NativeSocket, receivers: MakeReceiver) -> None:
    viewer = receivers()
    make(sender).send(make_burst(50).batches(VARIANT), [viewer.line()])
    assert parse_rtp(viewer.packets()[0]).ssrc == VIDEO_SSRC


class TestChoice:
    def test_native_where_it_was_built(self, monkeypatch: pytest.MonkeyPatch, sender: NativeSocket) -> None:
        monkeypatch.delenv("MEDIASERVER_NATIVE", raising=False)
        assert make_fanout(sender).is_native == LIBRARY.exists()

    def test_python_when_it_is_wanted(self, monkeypatch: pytest.MonkeyPatch, sender: NativeSocket) -> None:
        monkeypatch.setenv("MEDIASERVER_NATIVE", "0")
        assert not make_fanout(sender).is_native

    def test_a_library_that_is_none(self, tmp_path: Path, sender: NativeSocket) -> None:
        broken = tmp_path / "libfanout.so"
        broken.write_bytes(b"no library")
        with pytest.raises(OSError, match="libfanout"):
            NativeFanOut(sender, broken)
