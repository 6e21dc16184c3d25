from dataclasses import replace
from fractions import Fraction

import pytest

from hls.config import HlsConfig
from hls.view import (
    AudioView,
    MultivariantView,
    PartAddress,
    PartView,
    RenditionView,
    Report,
    SegmentView,
    VariantView,
)

from .rendered import render_media, render_multivariant

CONFIG = HlsConfig(target_duration_s=2, segment_s=1.0)
HALF = PartView(0.5, is_independent=False, is_gap=False)
KEY = PartView(0.5, is_independent=True, is_gap=False)
LOST = PartView(0.5, is_independent=False, is_gap=True)


def segment(msn: int, *parts: PartView, **fields: object) -> SegmentView:
    plain = SegmentView(
        msn=msn,
        generation=1,
        has_init=True,
        program_date_time=1_790_000_000.0 + msn,
        start=msn * 90_000,
        is_discontinuity=False,
        is_complete=True,
        parts=parts or (KEY, HALF),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def rendition(*segments: SegmentView, **fields: object) -> RenditionView:
    plain = RenditionView(
        name="720p",
        version=1,
        media_sequence=segments[0].msn,
        discontinuity_sequence=0,
        past=(),
        segments=segments,
        hint=None,
        reports=(),
        is_ended=False,
        newest_msn=segments[-1].msn,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def lines(view: RenditionView, *, skip: bool = False) -> list[str]:
    text = render_media(view, CONFIG, skip=skip)
    assert text.endswith("\n")
    return text.splitlines()


def test_a_live_playlist_word_for_word() -> None:
    view = rendition(
        segment(7),
        segment(8, KEY, LOST),
        segment(9, generation=3, is_discontinuity=True, parts=(KEY,), is_complete=False),
        discontinuity_sequence=2,
        hint=PartAddress(3, 9, 1),
        reports=(Report("480p", 9, 0), Report("audio", 8, 2)),
    )
    assert lines(view) == [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.50000,HOLD-BACK=6.0,CAN-SKIP-UNTIL=12.0",
        "#EXT-X-PART-INF:PART-TARGET=0.50000",
        "#EXT-X-MEDIA-SEQUENCE:7",
        "#EXT-X-DISCONTINUITY-SEQUENCE:2",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init-1.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:27.000Z",
        '#EXT-X-PART:DURATION=0.500000,URI="1-7.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.500000,URI="1-7.1.m4s"',
        "#EXTINF:1.000000,",
        "1-7.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:28.000Z",
        '#EXT-X-PART:DURATION=0.500000,URI="1-8.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.500000,URI="1-8.1.m4s",GAP=YES',
        "#EXTINF:1.000000,",
        "1-8.m4s",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="init-3.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:29.000Z",
        '#EXT-X-PART:DURATION=0.500000,URI="3-9.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="3-9.1.m4s"',
        '#EXT-X-RENDITION-REPORT:URI="../480p/index.m3u8",LAST-MSN=9,LAST-PART=0',
        '#EXT-X-RENDITION-REPORT:URI="../audio/index.m3u8",LAST-MSN=8,LAST-PART=2',
    ]


@pytest.mark.parametrize("skip", [False, True])
def test_an_ended_playlist_has_no_parts_no_hint_and_no_reports(skip: bool) -> None:
    ended = rendition(segment(0), is_ended=True, hint=PartAddress(1, 1, 0), reports=(Report("480p", 0, 0),))
    found = lines(ended, skip=skip)
    assert found[-2:] == ["1-0.m4s", "#EXT-X-ENDLIST"]
    assert not [line for line in found if line.startswith("#EXT-X-PART:")]


def test_a_lost_segment_is_a_gap_and_needs_no_init() -> None:
    text = lines(rendition(segment(0, LOST, LOST, has_init=False), segment(1)))
    assert text.index("#EXT-X-GAP") < text.index("1-0.m4s") < text.index('#EXT-X-MAP:URI="init-1.mp4"')
    assert text.count("#EXT-X-GAP") == 1


def test_parts_are_listed_for_three_target_durations_from_the_end() -> None:
    text = lines(rendition(*(segment(msn) for msn in range(20))))
    with_parts = {line.split("-")[3].split(".")[0] for line in text if line.startswith("#EXT-X-PART:")}
    assert sorted(map(int, with_parts)) == [13, 14, 15, 16, 17, 18, 19]
    dates = [line for line in text if line.startswith("#EXT-X-PROGRAM-DATE-TIME")]
    assert len(dates) == 20


@pytest.mark.parametrize(("count", "skipped"), [(12, 0), (13, 1), (30, 18)])
def test_a_delta_update_skips_what_is_older_than_the_boundary_from_the_end(count: int, skipped: int) -> None:
    view = rendition(*(segment(msn) for msn in range(count)))
    full, delta = lines(view), lines(view, skip=True)
    if not skipped:
        assert delta == full
        return
    position = delta.index(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    assert delta[:position] == full[:position]
    assert [line for line in delta if line.endswith(".m4s")] == [
        f"1-{msn}.m4s" for msn in range(skipped, count)
    ]
    assert '#EXT-X-MAP:URI="init-1.mp4"' in delta
    # What is kept reads as in the full playlist.
    kept = full.index(f"1-{skipped}.m4s")
    assert delta[delta.index(f"1-{skipped}.m4s") :] == full[kept:]


def test_an_open_segment_counts_for_the_boundary_but_is_never_skipped() -> None:
    view = rendition(*(segment(msn) for msn in range(12)), segment(12, KEY, is_complete=False))
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=1" not in lines(view, skip=True)
    view = rendition(*(segment(msn) for msn in range(12)), segment(12, KEY, HALF, is_complete=False))
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=1" in lines(view, skip=True)


def test_dates_have_milliseconds_that_carry() -> None:
    text = lines(rendition(segment(0, program_date_time=1_790_000_000.9996)))
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:21.000Z" in text


TOP = VariantView("1080p", 1920, 1080, Fraction(30000, 1001), "avc1.640028", 6_000_000, 5_000_000)
MIDDLE = VariantView("480p", 854, 480, Fraction(25), "avc1.64001f", 1_500_000, 1_200_000)
LOW = VariantView("144p", 256, 144, Fraction(25), "avc1.64000c", 200_000, 150_000)
SOUND = AudioView("audio", "mp4a.40.2", 2, 160_000)


def test_a_multivariant_playlist_word_for_word() -> None:
    assert render_multivariant(MultivariantView((TOP, MIDDLE, LOW), SOUND)).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,'
        'CHANNELS="2",URI="audio/index.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1500000,AVERAGE-BANDWIDTH=1200000,CODECS="avc1.64001f,mp4a.40.2",'
        'RESOLUTION=854x480,FRAME-RATE=25.000,AUDIO="audio",CLOSED-CAPTIONS=NONE',
        "480p/index.m3u8",
        '#EXT-X-STREAM-INF:BANDWIDTH=6000000,AVERAGE-BANDWIDTH=5000000,CODECS="avc1.640028,mp4a.40.2",'
        'RESOLUTION=1920x1080,FRAME-RATE=29.970,AUDIO="audio",CLOSED-CAPTIONS=NONE',
        "1080p/index.m3u8",
        '#EXT-X-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000,CODECS="avc1.64000c,mp4a.40.2",'
        'RESOLUTION=256x144,FRAME-RATE=25.000,AUDIO="audio",CLOSED-CAPTIONS=NONE',
        "144p/index.m3u8",
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=6000000,CODECS="avc1.640028",RESOLUTION=1920x1080,'
        'URI="1080p/iframes.m3u8"',
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1500000,CODECS="avc1.64001f",RESOLUTION=854x480,'
        'URI="480p/iframes.m3u8"',
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,CODECS="avc1.64000c",RESOLUTION=256x144,'
        'URI="144p/iframes.m3u8"',
    ]


def test_the_first_variant_is_one_that_every_player_decodes() -> None:
    twin = replace(MIDDLE, name="480p-hevc", codecs="hvc1.1.6.L90.B0", bandwidth_bps=2_000_000)
    text = render_multivariant(MultivariantView((TOP, twin), None))
    assert [line for line in text.splitlines() if line.endswith("m3u8")] == [
        "1080p/index.m3u8",
        "480p-hevc/index.m3u8",
    ]
    assert "480p-hevc/index.m3u8" in render_multivariant(MultivariantView((twin,), None))


def test_absent_tracks_are_not_declared() -> None:
    video = render_multivariant(MultivariantView((LOW,), None))
    assert "AUDIO" not in video
    assert 'CODECS="avc1.64000c"' in video
    audio = render_multivariant(MultivariantView((), SOUND))
    assert 'BANDWIDTH=160000,AVERAGE-BANDWIDTH=160000,CODECS="mp4a.40.2"' in audio
    assert "EXT-X-MEDIA" not in audio
