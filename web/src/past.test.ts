import { expect, test } from "vitest";
import { firstVariant, readPlaylist } from "./past";

const PLAYLIST = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init-1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T12:00:00.000Z
#EXTINF:2.00000,
1-7.m4s
#EXTINF:2.00000,
1-8.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T12:01:00.000Z
#EXT-X-PART:DURATION=1.00000,URI="1-9.0.m4s"
#EXT-X-PART:DURATION=1.00000,URI="1-9.1.m4s"
#EXTINF:2.00000,
1-9.m4s
#EXT-X-PART:DURATION=0.50000,URI="1-10.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="1-10.1.m4s"
`;
const NOON = Date.parse("2026-01-01T12:00:00Z") / 1000;

test("segments by number and time, up to the newest part", () => {
  expect(readPlaylist(PLAYLIST)).toEqual({
    segments: [
      { msn: 7, start: NOON },
      { msn: 8, start: NOON + 2 },
      { msn: 9, start: NOON + 60 },
    ],
    end: NOON + 62.5,
  });
});

test.each([
  ["without a segment", "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T12:00:00Z\n#EXT-X-PART:DURATION=0.5,URI=\"a\"\n"],
  ["without dates", "#EXTM3U\n#EXTINF:2.0,\na.m4s\n"],
  ["no playlist", "not found"],
])("%s", (_name, text) => {
  expect(readPlaylist(text)).toBeNull();
});

test("the first quality of a multivariant playlist", () => {
  const text = '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI="audio/index.m3u8"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n720p/index.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\n480p/index.m3u8\n';
  expect(firstVariant(text)).toBe("720p/index.m3u8");
  expect(firstVariant("#EXTM3U\n")).toBeNull();
});
