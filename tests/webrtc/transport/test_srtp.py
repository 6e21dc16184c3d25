from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.error import PeerError
from tests.webrtc.transport.client import RECEIVER_REPORT, RTP
from webrtc.transport.pinned import ffi, lib
from webrtc.transport.srtp import MAX_SOURCES, PROFILES, Profile, Srtp


def make_pair(profile: Profile = PROFILES[0]) -> tuple[Srtp, Srtp]:
    client, server = profile.split(os.urandom(2 * profile.master_bytes))
    return Srtp(profile, client, server), Srtp(profile, server, client)


def with_ssrc(number: int) -> bytes:
    return RTP[:8] + number.to_bytes(4) + RTP[12:]


@pytest.fixture(params=PROFILES, ids=lambda profile: profile.name.decode())
def pair(request: pytest.FixtureRequest) -> tuple[Srtp, Srtp]:
    return make_pair(request.param)


def test_keys_and_salts_stand_in_the_order_of_the_specification() -> None:
    profile = Profile(b"", 0, key_bytes=3, salt_bytes=2, overhead=0)
    assert profile.split(b"CCCSSSccss") == (b"CCCcc", b"SSSss")


def test_what_one_protects_the_other_reads(pair: tuple[Srtp, Srtp]) -> None:
    one, other = pair
    protected = one.protect_rtp(RTP)
    assert len(protected) == len(RTP) + one.overhead
    assert RTP[12:] not in protected
    assert other.unprotect_rtp(protected) == RTP
    assert other.unprotect_rtcp(one.protect_rtcp(RECEIVER_REPORT)) == RECEIVER_REPORT


def test_the_same_packet_can_be_sent_again(pair: tuple[Srtp, Srtp]) -> None:
    one, other = pair
    later = [RTP[:2] + number.to_bytes(2) + RTP[4:] for number in range(2, 900)]
    first = one.protect_rtp(RTP)
    for packet in later:
        assert other.unprotect_rtp(one.protect_rtp(packet)) == packet
    assert one.protect_rtp(RTP) == first
    assert other.unprotect_rtp(first) == RTP


def test_a_packet_is_protected_in_place_by_the_pointer(pair: tuple[Srtp, Srtp]) -> None:
    one, other = pair
    buffer = ffi.new("char[]", RTP + bytes(one.overhead))
    length = ffi.new("int *", len(RTP))
    assert lib.srtp_protect(one.tx_pointer, buffer, length) == 0
    assert other.unprotect_rtp(ffi.buffer(buffer, length[0])[:]) == RTP


def test_replayed_and_forged_packets_are_refused(pair: tuple[Srtp, Srtp]) -> None:
    one, other = pair
    protected = one.protect_rtp(RTP)
    other.unprotect_rtp(protected)
    report = one.protect_rtcp(RECEIVER_REPORT)
    other.unprotect_rtcp(report)
    for unprotect, data in (
        (other.unprotect_rtp, protected),
        (other.unprotect_rtcp, report),
        (other.unprotect_rtp, with_ssrc(7)),
        (other.unprotect_rtp, bytes([0x80]) * 2000),
        (other.unprotect_rtcp, one.protect_rtcp(RECEIVER_REPORT)[:-1]),
    ):
        with pytest.raises(PeerError, match="SRTP"):
            unprotect(data)


def test_sources_are_bounded_and_strangers_take_no_place() -> None:
    one, other = make_pair()
    for number in range(1000):
        with pytest.raises(PeerError, match="SRTP"):
            other.unprotect_rtp(with_ssrc(number) + bytes(16))
    for number in range(MAX_SOURCES):
        other.unprotect_rtp(one.protect_rtp(with_ssrc(number)))
    with pytest.raises(PeerError, match="more than 32 sources"):
        other.unprotect_rtp(one.protect_rtp(with_ssrc(MAX_SOURCES)))
    known = with_ssrc(0)
    assert other.unprotect_rtp(one.protect_rtp(known[:3] + b"\x09" + known[4:]))


@pytest.mark.parametrize("method", ["unprotect_rtp", "unprotect_rtcp"])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused(method: str, data: bytes) -> None:
    _, other = PAIR
    with pytest.raises(PeerError):
        getattr(other, method)(data)


PAIR = make_pair()
