"""Cases of the rules of multivariant playlists, alone and against what was measured."""

from __future__ import annotations

from hls.check.conformance import check_independent
from hls.check.document import parse_document
from hls.check.facts import SegmentFacts, TrackFacts
from hls.check.finding import Report
from hls.check.initialization import Track
from hls.check.measured_rules import check_average, check_frame_rate, check_peak, check_tracks, list_offers
from hls.check.media_playlist import Resource
from hls.check.multivariant import check_i_frames, check_multivariant, read_multivariant
from hls.check.record import Record

from .playlists import LIVE, VOD, Case, document_case, media, spoil

MULTIVARIANT = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",CHANNELS="2",DEFAULT=YES,AUTOSELECT=YES,URI="en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch",LANGUAGE="de",CHANNELS="2",AUTOSELECT=YES,URI="de.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="CC",LANGUAGE="en",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,SCORE=1.0,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO="a",CLOSED-CAPTIONS="c"
720p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=9000000,AVERAGE-BANDWIDTH=8000000,SCORE=2.0,CODECS="hvc1.1.6.L120.B0,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,AUDIO="a",CLOSED-CAPTIONS=NONE
1080p.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300000,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="i.m3u8"
"""

PICTURES = Track(1, "video", 90_000, "avc1", "avc1.64001f", 1280, 720)
SOUND = Track(1, "audio", 48_000, "mp4a", "mp4a.40.2")


def multivariant_case(text: str) -> Case:
    """Apply the rules that need the playlist alone."""

    def apply(report: Report) -> None:
        playlist = read_multivariant(parse_document(text.encode()))
        check_multivariant(playlist, "master.m3u8", report)
        check_i_frames(playlist, "VOD", "master.m3u8", report)

    return apply


def record(text: str, *tracks: Track, size_bytes: int = 1_000_000, name: str = "720p.m3u8") -> Record:
    """Make a record of a playlist whose segments have one size."""
    kind = "video" if any(track.kind == "video" for track in tracks) else "audio"
    found = Record(
        name,
        f"https://example.com/{name}",
        "media",
        playlist=media(text),
        tracks={Resource("init.mp4"): tracks},
    )
    for segment in found.playlist.segments if found.playlist is not None else ():
        start_s = 100.0 + 4 * (segment.msn - 10)
        track = TrackFacts(
            kind, start_s, segment.length_s, 0.04, round(25 * segment.length_s), is_key_first=True
        )
        found.keep(segment, SegmentFacts("fmp4", size_bytes, {kind: track}))
    return found


def measured(
    text: str, *tracks: Track, playlist: str = LIVE, size_bytes: int = 700_000, sound: Track = SOUND
) -> Case:
    """Apply the rules that compare the first variant with what was measured."""

    def apply(report: Report) -> None:
        multivariant = read_multivariant(parse_document(text.encode()))
        own = record(playlist, *(tracks or (PICTURES,)), size_bytes=size_bytes)
        audio = record(playlist, sound, size_bytes=50_000, name="en.m3u8")
        offer = list_offers(multivariant, [own, audio], "https://example.com/master.m3u8")[0]
        check_tracks(offer, "master.m3u8", report, is_first=False)
        check_peak(offer, "master.m3u8", report)
        check_average(offer, "master.m3u8", report)
        check_frame_rate(offer, "master.m3u8", report)

    return apply


def sound_alone(report: Report) -> None:
    """Apply them to a variant that is the only one of its group."""
    text = f'{MULTIVARIANT}#EXT-X-STREAM-INF:BANDWIDTH=110000,CODECS="mp4a.40.2",AUDIO="a"\nen.m3u8\n'
    audio = record(LIVE, SOUND, size_bytes=50_000, name="en.m3u8")
    multivariant = read_multivariant(parse_document(text.encode()))
    for offer in list_offers(multivariant, [audio], "https://example.com/master.m3u8"):
        check_tracks(offer, "master.m3u8", report, is_first=False)
        check_peak(offer, "master.m3u8", report)


def independent(text: str, playlist: str) -> Case:
    """Apply the rule on EXT-X-INDEPENDENT-SEGMENTS."""

    def apply(report: Report) -> None:
        check_independent(
            read_multivariant(parse_document(text.encode())), [record(playlist, PICTURES)], report
        )

    return apply


PLAIN = spoil(MULTIVARIANT, ("#EXT-X-INDEPENDENT-SEGMENTS\n", ""))

KEPT: tuple[Case, ...] = (
    document_case(MULTIVARIANT),
    multivariant_case(MULTIVARIANT),
    measured(MULTIVARIANT),
    sound_alone,
    measured(MULTIVARIANT, playlist=VOD),
    independent(MULTIVARIANT, LIVE),
    independent(PLAIN, spoil(LIVE, ("#EXT-X-KEY", "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-KEY"))),
)


def one(old: str, new: str) -> tuple[Case]:
    """Spoil one thing."""
    return (multivariant_case(spoil(MULTIVARIANT, (old, new))),)


BROKEN: dict[str, tuple[Case, ...]] = {
    "multivariant-codecs": one('CODECS="avc1.64001f,mp4a.40.2",', ""),
    "multivariant-average-bandwidth": one("AVERAGE-BANDWIDTH=1500000,", ""),
    "multivariant-average-below-peak": (
        *one("AVERAGE-BANDWIDTH=1500000", "AVERAGE-BANDWIDTH=2500000"),
        *one("BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000", "BANDWIDTH=0"),
    ),
    "multivariant-resolution": one("RESOLUTION=1280x720,", ""),
    "multivariant-frame-rate": one("FRAME-RATE=25.000,", ""),
    "multivariant-frame-rate-max": one("FRAME-RATE=25.000", "FRAME-RATE=120.000"),
    "multivariant-score": one("SCORE=1.0,", ""),
    "multivariant-group": (*one('AUDIO="a"', 'AUDIO="b"'), *one('CAPTIONS="c"', 'CAPTIONS="a"')),
    "multivariant-group-name": one('NAME="Deutsch"', 'NAME="English"'),
    "multivariant-group-default": one('CHANNELS="2",AUTOSELECT', 'CHANNELS="2",DEFAULT=YES,AUTOSELECT'),
    "multivariant-autoselect": one("DEFAULT=YES,AUTOSELECT=YES", "DEFAULT=YES,AUTOSELECT=NO"),
    "multivariant-media-type": (
        *one(',INSTREAM-ID="CC1"', ""),
        *one("TYPE=AUDIO", "TYPE=SOUND"),
        *one('INSTREAM-ID="CC1"', 'INSTREAM-ID="CC1",URI="c.m3u8"'),
        *one('TYPE=CLOSED-CAPTIONS,', 'TYPE=SUBTITLES,'),
    ),
    "multivariant-language": one('LANGUAGE="de",', ""),
    "multivariant-channels": one('CHANNELS="2",DEFAULT', "DEFAULT"),
    "multivariant-h264": (multivariant_case(MULTIVARIANT.replace("avc1.64001f", "hvc1.1.6.L93.B0")),),
    "multivariant-hvc1": one("hvc1.1", "hev1.1"),
    "multivariant-address": one("720p.m3u8\n", ""),
    "multivariant-variants": (
        multivariant_case("#EXTM3U\n" + MULTIVARIANT.split("\n")[3] + "\n"),
    ),
    "multivariant-i-frames": one(MULTIVARIANT.split("\n")[-2] + "\n", ""),
    "media-independent-segments": (independent(PLAIN, LIVE),),
    "true-codecs": (
        measured(spoil(MULTIVARIANT, ("avc1.64001f,mp4a", "av01.0.08M.08,mp4a"))),
        measured(spoil(MULTIVARIANT, (",mp4a.40.2", ""))),
    ),
    "true-codecs-exact": (
        measured(spoil(MULTIVARIANT, ("avc1.64001f,", "avc1.4d001f,"))),
        measured(spoil(MULTIVARIANT, ("avc1.64001f,", "avc1.64001e,"))),
        measured(spoil(MULTIVARIANT, ("mp4a.40.2", "mp4a.40.5"))),
    ),
    "true-resolution": (
        measured(spoil(MULTIVARIANT, ("1280x720", "1280x718"))),
        measured(spoil(MULTIVARIANT, ("1280x720", "480x720"))),
    ),
    "true-frame-rate": (measured(spoil(MULTIVARIANT, ("FRAME-RATE=25.000", "FRAME-RATE=24.000"))),),
    "true-average-vod": (measured(MULTIVARIANT, size_bytes=880_000, playlist=VOD),),
    "true-bandwidth": (measured(MULTIVARIANT, size_bytes=1_300_000),),
    "true-bandwidth-vod": (measured(MULTIVARIANT, size_bytes=1_300_000, playlist=VOD),),
}  # fmt: skip
