import { describe, expect, test } from "vitest";
import { itemsOf } from "./api";
import { backoffMs, bufferAhead, formatBitrate, levelLabel, levelName, StallMeter } from "./stats";

function ranges(...pairs: [number, number][]): TimeRanges {
  return { length: pairs.length, start: (i) => pairs[i]![0], end: (i) => pairs[i]![1] };
}

describe("levelName", () => {
  test.each([
    [{ name: "source", url: ["/hls/x/720p/index.m3u8"], width: 1280, height: 720 }, "source"],
    [{ url: ["http://h/hls/x/1080p/index.m3u8"], width: 1600, height: 900 }, "1080p"],
    [{ url: ["/hls/x/1080p-hevc/index.m3u8"], width: 1920, height: 1080 }, "1080p-hevc"],
    [{ url: ["v0.m3u8"], width: 720, height: 1280 }, "720p"],
    [{ url: ["v0.m3u8"], width: 0, height: 480 }, "480p"],
  ])("%o is %s", (level, name) => expect(levelName(level)).toBe(name));
});

test("labels name the codec of a copy", () => {
  expect(["720p", "720p-av1", "source"].map(levelLabel)).toEqual(["720p", "720p AV1", "source"]);
});

describe("bufferAhead", () => {
  test.each([
    ["nothing", ranges(), 1, 0],
    ["inside", ranges([0, 10]), 4, 6],
    ["up to a hole", ranges([0, 5], [6, 9]), 4, 1],
    ["in a hole", ranges([0, 5], [6, 9]), 5.5, 0],
    ["just before the start", ranges([1.05, 3]), 1, 2],
  ])("%s", (_name, buffered, time, ahead) => expect(bufferAhead(buffered, time)).toBeCloseTo(ahead));
});

test("waits grow up to a bound", () => {
  expect([0, 1, 2, 10].map((attempt) => backoffMs(attempt))).toEqual([500, 1000, 2000, 8000]);
});

test("bitrates are short", () => {
  expect(formatBitrate(2_840_000)).toBe("2.8 Mbit/s");
  expect(formatBitrate(96_000)).toBe("96 kbit/s");
});

test("a stall counts once, from running dry to playing on; the first start and seeks do not count", () => {
  const meter = new StallMeter();
  meter.onWaiting(0, false);
  meter.onPlaying(500);
  meter.onWaiting(1000, true);
  expect(meter.count).toBe(0);
  meter.onWaiting(2000, false);
  meter.onWaiting(2100, false);
  expect(meter.seconds(2500)).toBe(0.5);
  meter.onPlaying(3000);
  expect([meter.count, meter.seconds(9000)]).toEqual([1, 1]);
});

test.each([
  [[{ id: "a" }], 1],
  [{ streams: [{ id: "a" }, { id: "b" }], next_cursor: null }, 2],
  [{ streams: [] }, 0],
  [null, 0],
])("a list answers %o", (body, count) => expect(itemsOf(body)).toHaveLength(count));
