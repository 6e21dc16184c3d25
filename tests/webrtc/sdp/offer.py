"""Offers of real programs, and what the server says of itself in tests."""

from __future__ import annotations

from pathlib import Path

from webrtc.sdp.description import Candidate, Fingerprint, IceCredentials, LocalDescription, SentTrack

FOLDER = Path(__file__).parent / "offers"

VIEWERS = ("chromium-recv", "chromium-data", "gstreamer-recv", "firefox-recv", "safari-recv")
PUBLISHERS = ("chromium-send", "chromium-simulcast", "gstreamer-send", "obs-send")

ICE = IceCredentials("serv", "passwordpasswordpassword")
FINGERPRINT = Fingerprint("sha-256", ":".join(["5C"] * 32))
CANDIDATES = (Candidate("127.0.0.1", 8189), Candidate("::1", 8189))

SENDS = LocalDescription(
    ICE,
    FINGERPRINT,
    CANDIDATES,
    {"video": SentTrack(1001, 1002), "audio": SentTrack(1003)},
    msid="broadcast",
    cname="server",
)
RECEIVES = LocalDescription(ICE, FINGERPRINT, CANDIDATES)


def load(name: str) -> str:
    return (FOLDER / f"{name}.sdp").read_bytes().decode()


def section_of(sdp: str, kind: str) -> list[str]:
    """Return the lines of the first section of a kind."""
    return next(part for part in sections_of(sdp) if part[0].startswith(f"m={kind} "))


def sections_of(sdp: str) -> list[list[str]]:
    return [f"m={part}".strip().split("\r\n") for part in f"\r\n{sdp}".split("\r\nm=")[1:]]
