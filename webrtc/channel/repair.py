"""Sends again what did not arrive."""

from __future__ import annotations

from collections.abc import Sequence

from webrtc.rtp.fanout import FanOut
from webrtc.rtp.packet import rtx_packet, with_sequence

from .viewer import Counters, Track


def resend(
    track: Track,
    sequences: Sequence[int],
    counters: Counters,
    fanout: FanOut,
    *,
    rtx_ssrc: int | None,
    bitrate_bps: int,
    rtt_s: float | None,
    is_full: bool,
    now: float,
) -> bool:
    """Send packets again, as retransmissions (RFC 4588) if that was negotiated, else as they were.

    Args:
        track: of the viewer who asks.
        sequences: his numbers for the packets, 16 bits.
        counters: the viewer's.
        fanout: that sends.
        rtx_ssrc: of the stream of retransmissions; None where this kind has none.
        bitrate_bps: of what he gets; the budget follows it.
        rtt_s: round trip, if it is known.
        is_full: whether the path carries no more than it gets.
        now: monotonic seconds.

    Returns:
        Whether something stays lost for good.
    """
    is_lost = False
    variant, rtx = track.choice.variant, track.choice.rtx_payload_type
    for sequence in sequences:
        if track.retransmission.is_repeated(sequence, rtt_s, now):
            counters.unanswered += 1
            continue
        known = track.history.find(sequence)
        if known is None:
            counters.unknown += 1
            continue
        flow, index = known
        found = flow.find(index)
        packet = None
        if found is not None:
            burst, number = found
            packet = burst.packets(variant)[number]
        if packet is None or not track.retransmission.takes(
            sequence, len(packet), bitrate_bps, now, is_full=is_full
        ):
            counters.unanswered += 1
            is_lost = True
            continue
        if rtx is not None and rtx_ssrc is not None:
            packet = with_sequence(packet, sequence, variant, now)
            packet = rtx_packet(packet, rtx, rtx_ssrc, track.next_rtx_sequence())
        else:
            # Under the same number it has to be the same in every bit, its time too, or the cipher is broken.
            packet = packet[:2] + sequence.to_bytes(2, "big") + packet[4:]
        fanout.send_packet(track.line, packet)
        counters.resent += 1
    return is_lost
