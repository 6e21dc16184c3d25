import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { endsInGap, ShedLevels, standIn, textEndsInGap } from "./shed";

const PARTS = '#EXTINF:2.0,\ns1.m4s\n#EXT-X-PART:DURATION=0.5,URI="s2.0.m4s",INDEPENDENT=YES\n';
const GAP_PART = '#EXT-X-PART:DURATION=0.5,URI="s2.1.m4s",GAP=YES\n';
const HINT = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s2.1.m4s"\n';
const SEGMENT = "#EXTINF:2.0,\ns2.m4s\n";

describe("a playlist", () => {
  it.each([
    ["", false],
    ["#EXTM3U\n", false],
    [PARTS, false],
    [PARTS + HINT, false],
    [PARTS + GAP_PART, true],
    [PARTS + GAP_PART + HINT, true],
    [PARTS + GAP_PART + PARTS, false],
    [PARTS + "#EXT-X-GAP\n" + SEGMENT, true],
    [PARTS + "#EXTINF:2.0,\n#EXT-X-GAP\ns2.m4s\n", true],
    ["#EXT-X-GAP\n" + SEGMENT + SEGMENT, false],
    ["#EXT-X-GAP\n" + SEGMENT + HINT, true],
  ])("%j ends in a gap: %s", (text, expected) => expect(textEndsInGap(text)).toBe(expected));

  it("is read by hls.js", () => {
    expect(endsInGap({ partList: null, fragments: [] })).toBe(false);
    expect(endsInGap({ partList: null, fragments: [{ gap: true }, {}] })).toBe(false);
    expect(endsInGap({ partList: null, fragments: [{}, { gap: true }] })).toBe(true);
    const part = (gap: boolean) => ({ gap }) as never;
    expect(endsInGap({ partList: [part(true), part(false)], fragments: [{ gap: true }] })).toBe(false);
    expect(endsInGap({ partList: [part(false), part(true)], fragments: [{}] })).toBe(true);
  });
});

it.each([
  [3, [3], 2],
  [3, [3, 2], 1],
  [0, [0], 1],
  [1, [0, 1, 2], 3],
  [2, [0, 1, 2, 3, 4], -1],
])("for level %d of five without %j stands in %d", (level, shed, expected) =>
  expect(standIn(level, 5, new Set(shed))).toBe(expected),
);

describe("shed levels", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("window", globalThis);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("come back when their playlist has media again", async () => {
    let text = PARTS + GAP_PART;
    let isAway = false;
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: string) => {
      asked.push(url);
      if (isAway) throw new TypeError("no network");
      return new Response(text);
    });
    let changes = 0;
    const shed = new ShedLevels(
      (level) => `${level}.m3u8`,
      () => changes++,
    );
    const gap = { partList: null, fragments: [{ gap: true }] };
    shed.note(1, { partList: null, fragments: [{}] });
    expect(shed.all.size).toBe(0);
    shed.note(2, gap);
    shed.note(2, gap);
    expect([...shed.all]).toEqual([2]);
    expect(changes).toBe(1);
    await vi.advanceTimersByTimeAsync(5000);
    isAway = true;
    await vi.advanceTimersByTimeAsync(5000);
    expect(shed.all.size).toBe(1);
    isAway = false;
    text = PARTS;
    await vi.advanceTimersByTimeAsync(5000);
    expect(shed.all.size).toBe(0);
    expect(changes).toBe(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual(["2.m3u8", "2.m3u8", "2.m3u8"]);
    shed.add(2);
    await vi.advanceTimersByTimeAsync(9000);
    expect(asked.length).toBe(3); // the second time it is left alone for longer
    await vi.advanceTimersByTimeAsync(6000);
    expect(shed.all.size).toBe(0);
    shed.close();
  });
});
