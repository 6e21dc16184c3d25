"""Fragments of session descriptions: candidates that come later, and restarts of ICE (RFC 8840; RFC 9725, 4.3)."""

from __future__ import annotations

from .description import Fragment, FragmentSection, IceCredentials, LocalDescription
from .reader import parse_bundle, parse_ice, parse_mid
from .section import Section, parse_lines
from .writer import ICE_OPTIONS, write_candidates

_FORGOTTEN = FragmentSection("audio", "UDP/TLS/RTP/SAVPF", ("0",), "0")
"""What stands for the m-line where a peer has sent none."""


def parse_fragment(text: str) -> Fragment:
    """Read a fragment.

    Raises:
        PeerError: it is malformed, or names several transports.
    """
    session, media = parse_lines(text)
    return Fragment(
        ice=_ice(session, media),
        sections=tuple(
            FragmentSection(item.kind, item.protocol, item.formats, parse_mid(item)) for item in media
        ),
        bundle=parse_bundle(session),
        candidates=tuple(value for item in (session, *media) for value in item.all("candidate")),
        is_complete=any("end-of-candidates" in item for item in (session, *media)),
    )


def write_fragment(asked: Fragment, local: LocalDescription) -> str:
    """Answer the fragment with which a peer has restarted ICE: only its first section stands for the transport."""
    section = asked.sections[0] if asked.sections else _FORGOTTEN
    lines = ["a=ice-lite", ICE_OPTIONS]
    if asked.bundle:
        lines.append(f"a=group:BUNDLE {' '.join(asked.bundle)}")
    lines += [
        f"m={section.kind} 9 {section.protocol} {' '.join(section.formats)}",
        f"a=mid:{section.mid or _FORGOTTEN.mid}",
        f"a=ice-ufrag:{local.ice.ufrag}",
        f"a=ice-pwd:{local.ice.pwd}",
        *write_candidates(local.candidates),
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _ice(session: Section, media: list[Section]) -> IceCredentials | None:
    for section in (*media, None):
        ice = parse_ice(session, section)
        if ice is not None:
            return ice
    return None
