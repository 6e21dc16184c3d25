"""Writes answers and counter-offers (RFC 8829, 5.3.1; draft-ietf-wish-whep-03)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from zlib import crc32

from .codec import parse_fmtp
from .description import (
    ABS_SEND_TIME,
    Candidate,
    Codec,
    LocalDescription,
    MediaSection,
    PeerDescription,
    SentTrack,
)

ICE_OPTIONS = "a=ice-options:trickle ice2"

_HOST_PREFERENCE = 126
"""Type preference of host candidates (RFC 8445, 5.1.2.2)."""

_HIGHEST_LEVEL = "34"
"""Level 5.2 in a profile-level-id, what this server takes: it copies or hands to a decoder that takes all."""

_NO_ADDRESS = Candidate("0.0.0.0", 9)  # noqa: S104
"""How SDP says "see the candidates" (RFC 8840, 4.1.1)."""

OFFERED = (
    MediaSection(
        mid="0",
        kind="video",
        codec=Codec(
            "h264",
            102,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            rtx_payload_type=103,
            feedback=frozenset({"nack", "nack pli", "ccm fir", "goog-remb"}),
        ),
        direction="recvonly",
        extensions={ABS_SEND_TIME: 2},
        flags=frozenset({"rtcp-rsize"}),
    ),
    MediaSection(
        mid="1",
        kind="audio",
        codec=Codec("opus", 111, "minptime=10;useinbandfec=1"),
        direction="recvonly",
        extensions={ABS_SEND_TIME: 2},
    ),
)
"""The sections of a counter-offer, as a viewer would have asked for them."""


def write_answer(offer: PeerDescription, local: LocalDescription) -> str:
    """Write the answer: we send what `local.tracks` names, or receive where it names nothing."""
    accepted = [item.mid for item in offer.media if item.codec is not None]
    lines = _session(local, accepted if offer.bundle else ())
    for item in offer.media:
        if item.codec is None:
            lines += _write_rejected(item)
        else:
            lines += _write_section(item, item.codec, local, "passive")
    return _join(lines)


def write_offer(local: LocalDescription) -> str:
    """Write a counter-offer: H.264 and Opus, sent by us; its tracks are `local.tracks`."""
    lines = _session(local, [item.mid for item in OFFERED])
    for item in OFFERED:
        if item.codec is not None:
            lines += _write_section(item, item.codec, local, "actpass")
    return _join(lines)


def write_candidates(candidates: Sequence[Candidate]) -> list[str]:
    """Write where this server listens, the best address first (RFC 8839, 5.1)."""
    lines = []
    for index, (address, port) in enumerate(candidates):
        priority = (_HOST_PREFERENCE << 24) | ((0xFFFF - index) << 8) | 0xFF
        lines.append(f"a=candidate:{index + 1} 1 udp {priority} {address} {port} typ host")
    return [*lines, "a=end-of-candidates"]


def _session(local: LocalDescription, bundle: Sequence[str]) -> list[str]:
    # The number only has to differ from session to session, and a fragment is random.
    number = crc32(local.ice.ufrag.encode())
    lines = ["v=0", f"o=- {number} 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if bundle:
        lines.append(f"a=group:BUNDLE {' '.join(bundle)}")
    if local.msid:
        lines.append(f"a=msid-semantic:WMS {local.msid}")
    algorithm, value = local.fingerprint
    return [*lines, "a=ice-lite", ICE_OPTIONS, f"a=fingerprint:{algorithm} {value}"]


def _write_section(item: MediaSection, codec: Codec, local: LocalDescription, setup: str) -> list[str]:
    track = local.tracks.get(item.kind)
    rtx = codec.rtx_payload_type
    if track is not None and track.rtx_ssrc is None:
        rtx = None
    formats = [codec.payload_type, *([] if rtx is None else [rtx])]
    default = local.candidates[0] if local.candidates else _NO_ADDRESS
    direction = _direction(item, local)
    lines = [
        f"m={item.kind} {default.port} {item.protocol} {' '.join(map(str, formats))}",
        f"c=IN {_address_type(default.address)} {default.address}",
        f"a=ice-ufrag:{local.ice.ufrag}",
        f"a=ice-pwd:{local.ice.pwd}",
        f"a=setup:{setup}",
        *([f"a=mid:{item.mid}"] if item.mid else []),
        *(f"a=extmap:{number} {uri}" for uri, number in item.extensions.items()),
        f"a={direction}",
        "a=rtcp-mux",
        *(f"a={flag}" for flag in sorted(item.flags)),
        *_write_codec(item.kind, codec, rtx, is_sent=track is not None),
    ]
    if track is not None and direction == "sendonly":
        lines += _write_track(item.kind, track, local, has_rtx=rtx is not None)
    return lines + write_candidates(local.candidates)


def _direction(item: MediaSection, local: LocalDescription) -> str:
    if not local.tracks:
        return "recvonly" if item.is_sent else "inactive"
    return "sendonly" if item.is_received and item.kind in local.tracks else "inactive"


def _write_codec(kind: str, codec: Codec, rtx: int | None, *, is_sent: bool) -> list[str]:
    number = codec.payload_type
    is_video = kind == "video"
    encoding = "H264/90000" if is_video else "opus/48000/2"
    fmtp = _h264_fmtp(codec, is_sent=is_sent) if is_video else _opus_fmtp(codec)
    lines = [f"a=rtpmap:{number} {encoding}", f"a=fmtp:{number} {fmtp}"]
    lines += [f"a=rtcp-fb:{number} {kind}" for kind in sorted(codec.feedback)]
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={number}"]
    return lines


def _h264_fmtp(codec: Codec, *, is_sent: bool) -> str:
    """Write the parameters of H.264.

    What we send has the level that its parameter sets say, whatever was negotiated: so the answer repeats what the
    peer said, letter by letter, which GStreamer compares as a text. What we receive is told by the highest level
    where the peer lets levels differ (RFC 6184, 8.2.2): browsers encode no more than the level of the answer.
    """
    parameters = parse_fmtp(codec.fmtp)
    profile = parameters.get("profile-level-id", "42e01f")
    if not is_sent and parameters.get("level-asymmetry-allowed") == "1":
        profile = profile[:4] + _HIGHEST_LEVEL
    return f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}"


def _opus_fmtp(codec: Codec) -> str:
    minptime = parse_fmtp(codec.fmtp).get("minptime")
    own = "stereo=1;sprop-stereo=1;useinbandfec=1"
    return f"minptime={minptime};{own}" if minptime else own


def _write_track(kind: str, track: SentTrack, local: LocalDescription, *, has_rtx: bool) -> list[str]:
    ssrcs = [track.ssrc]
    if track.rtx_ssrc is not None and has_rtx:
        ssrcs.append(track.rtx_ssrc)
    lines = [f"a=msid:{local.msid} {kind}"]
    if len(ssrcs) > 1:
        lines.append(f"a=ssrc-group:FID {' '.join(map(str, ssrcs))}")
    for ssrc in ssrcs:
        lines += [f"a=ssrc:{ssrc} cname:{local.cname}", f"a=ssrc:{ssrc} msid:{local.msid} {kind}"]
    return lines


def _write_rejected(item: MediaSection) -> list[str]:
    lines = [f"m={item.kind} 0 {item.protocol} {' '.join(item.formats)}", "c=IN IP4 0.0.0.0", "a=inactive"]
    return [*lines, f"a=mid:{item.mid}"] if item.mid else lines


def _address_type(address: str) -> str:
    return f"IP{ipaddress.ip_address(address).version}"


def _join(lines: Iterable[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
