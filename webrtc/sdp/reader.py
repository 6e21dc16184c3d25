"""Reads offers and answers: what a peer says of its transport, and which sections we can fill."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from media.error import PeerError

from .codec import choose_codec
from .description import ABS_SEND_TIME, Fingerprint, IceCredentials, MediaSection, PeerDescription
from .section import Section, parse_description

PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "TCP/TLS/RTP/SAVPF"})
"""What m-lines of encrypted media have said through the years; only the first is right (RFC 5764, 8)."""

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

FLAGS = ("rtcp-rsize", "rtcp-mux-only")

_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Hash functions that are good enough, and the length of what they give."""

_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MID = re.compile(r"[!#-'*+.\-0-9A-Z^-~]{1,64}")
_EXTENSION = re.compile(r"([0-9]{1,4})(?:/([a-z]{1,8}))? (\S+)(?: .*)?")
_SSRC = re.compile(r"([0-9]{1,10})(?: .*)?")


def parse_offer(text: str) -> PeerDescription:
    """Read an offer (RFC 9429, 5.2.1).

    Raises:
        PeerError: it is malformed, or no offer that this server could answer at all. An offer without a common
            codec is a good one: see `PeerDescription.is_servable`.
    """
    peer = _parse(text)
    setup = peer.setup or "active"  # RFC 4145, 4.1
    if setup == "passive":
        raise PeerError("a=setup:passive: this server takes the passive part, offer actpass or active")
    if setup not in ("actpass", "active"):
        raise PeerError(f"a=setup:{setup[:20]!a} is not understood, offer actpass")
    return replace(peer, setup=setup)


def parse_answer(text: str, kinds: Sequence[str] = ("video", "audio")) -> PeerDescription:
    """Read an answer to an offer of ours (RFC 9429, 5.3.1).

    Args:
        text: the answer.
        kinds: of the sections that were offered, in their order.

    Raises:
        PeerError: it is malformed or does not answer that offer.
    """
    peer = _parse(text)
    if [item.kind for item in peer.media] != list(kinds):
        raise PeerError("the answer has other m-lines than the offer")
    if peer.setup != "active":
        raise PeerError("the answer has to say a=setup:active: this server takes the passive part")
    if all(item.codec is None for item in peer.media):
        raise PeerError("the answer accepts nothing of what was offered")
    return peer


def parse_ice(session: Section, section: Section | None) -> IceCredentials | None:
    """Read the credentials that count for a section; None where there are none.

    Raises:
        PeerError: they are malformed.
    """
    ufrag, pwd = (_inherited(session, section, name) for name in ("ice-ufrag", "ice-pwd"))
    if ufrag is None and pwd is None:
        return None
    if ufrag is None or pwd is None or not _UFRAG.fullmatch(ufrag) or not _PWD.fullmatch(pwd):
        raise PeerError("a=ice-ufrag and a=ice-pwd are not what RFC 8839 (5.4) asks for")
    return IceCredentials(ufrag, pwd)


def parse_mid(section: Section) -> str:
    """Read the name of a section; empty where it has none.

    Raises:
        PeerError: it is malformed.
    """
    mid = section.first("mid") or ""
    if mid and not _MID.fullmatch(mid):
        raise PeerError("a=mid is malformed")
    return mid


def parse_bundle(session: Section) -> tuple[str, ...]:
    """Read which sections share the first common transport; empty where none is said to."""
    for value in session.all("group"):
        semantics, *mids = value.split()[:64] or [""]
        if semantics == "BUNDLE":
            return tuple(mids)
    return ()


def _parse(text: str) -> PeerDescription:
    session, sections = parse_description(text)
    mids = [parse_mid(section) for section in sections]
    if len(set(mids)) < len(mids):
        raise PeerError("the m-lines need names (a=mid) that differ")
    bundle = parse_bundle(session)
    if len(sections) > 1 and not bundle:
        raise PeerError("the m-lines have to share one transport (a=group:BUNDLE)")
    joined = [not bundle or mid in bundle for mid in mids]
    media = tuple(
        _parse_section(section, mid, is_joined)
        for section, mid, is_joined in zip(sections, mids, joined, strict=True)
    )
    shared = [section for section, is_joined in zip(sections, joined, strict=True) if is_joined]
    return PeerDescription(
        media=_one_of_each_kind(media),
        ice=_shared_ice(session, shared),
        fingerprints=_shared_fingerprints(session, shared),
        setup=next(filter(None, (_inherited(session, section, "setup") for section in shared)), ""),
        bundle=bundle,
    )


def _parse_section(section: Section, mid: str, is_joined: bool) -> MediaSection:
    is_on = section.port != 0 or "bundle-only" in section
    codec = None
    if is_on and is_joined and section.protocol in PROTOCOLS:
        codec = choose_codec(section)
    if codec is not None and "rtcp-mux" not in section:
        raise PeerError("RTP and RTCP have to share one port (a=rtcp-mux)")
    return MediaSection(
        mid=mid,
        kind=section.kind,
        codec=codec,
        direction=_direction(section) if is_on else "inactive",
        extensions=dict(_extensions(section)),
        ssrc=_first_ssrc(section),
        rtx_ssrc=_rtx_ssrc(section),
        protocol=section.protocol,
        formats=section.formats,
        flags=frozenset(flag for flag in FLAGS if flag in section),
    )


def _one_of_each_kind(media: Sequence[MediaSection]) -> tuple[MediaSection, ...]:
    """Leave a codec to the first section of each kind that has one: a viewer gets one stream of each."""
    taken: set[str] = set()
    kept = []
    for item in media:
        is_more = item.codec is not None and item.kind in taken
        kept.append(replace(item, codec=None) if is_more else item)
        if item.codec is not None:
            taken.add(item.kind)
    return tuple(kept)


def _direction(section: Section) -> str:
    return next((name for name in DIRECTIONS if name in section), "sendrecv")


def _extensions(section: Section) -> list[tuple[str, int]]:
    found = []
    for value in section.all("extmap"):
        match = _EXTENSION.fullmatch(value)
        if match is None or match[3] != ABS_SEND_TIME or match[2] not in (None, "sendrecv", "recvonly"):
            continue
        # Higher numbers need headers of another form (RFC 8285, 4.3).
        if 1 <= int(match[1]) <= 14:
            found.append((ABS_SEND_TIME, int(match[1])))
    return found[:1]


def _first_ssrc(section: Section) -> int | None:
    pair = _fid(section)
    values = [pair[0]] if pair else section.all("ssrc")
    match = _SSRC.fullmatch(values[0]) if values else None
    return int(match[1]) if match is not None and int(match[1]) <= 0xFFFFFFFF else None


def _rtx_ssrc(section: Section) -> int | None:
    pair = _fid(section)
    return int(pair[1]) if pair and _SSRC.fullmatch(pair[1]) and int(pair[1]) <= 0xFFFFFFFF else None


def _fid(section: Section) -> list[str]:
    for value in section.all("ssrc-group"):
        semantics, *numbers = value.split()[:8] or [""]
        if semantics == "FID" and len(numbers) == 2:
            return numbers
    return []


def _shared_ice(session: Section, sections: Sequence[Section]) -> IceCredentials:
    found = {ice for section in sections if (ice := parse_ice(session, section)) is not None}
    if len(found) > 1:
        raise PeerError("the m-lines of one transport have different ICE credentials")
    if not found:
        raise PeerError("there are no ICE credentials (a=ice-ufrag, a=ice-pwd)")
    return found.pop()


def _shared_fingerprints(session: Section, sections: Sequence[Section]) -> tuple[Fingerprint, ...]:
    found = {prints for section in sections if (prints := _fingerprints(session, section))}
    if len(found) > 1:
        raise PeerError("the m-lines of one transport have different fingerprints")
    if not found:
        raise PeerError("there is no fingerprint of SHA-256 or better (a=fingerprint): DTLS is needed")
    return found.pop()


def _fingerprints(session: Section, section: Section) -> tuple[Fingerprint, ...]:
    values = section.all("fingerprint") or session.all("fingerprint")
    found = [_parse_fingerprint(value) for value in values]
    return tuple(item for item in found if item.algorithm in _DIGEST_BYTES)


def _parse_fingerprint(value: str) -> Fingerprint:
    algorithm, _, digest = value.partition(" ")
    item = Fingerprint(algorithm.lower(), digest.strip().upper())
    size = _DIGEST_BYTES.get(item.algorithm)
    if size is not None and not re.fullmatch(rf"[0-9A-F]{{2}}(:[0-9A-F]{{2}}){{{size - 1}}}", item.value):
        raise PeerError("a=fingerprint is malformed")
    return item


def _inherited(session: Section, section: Section | None, name: str) -> str | None:
    own = section.first(name) if section is not None else None
    return own if own is not None else session.first(name)
