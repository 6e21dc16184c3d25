import type { LevelDetails } from "hls.js";
import { expect, test } from "vitest";
import { clock, isAtLive, placeAt, reachable, rewindOf, startOf } from "./rewind";

const fragments = [0, 2, 4, 8].map((start, index) => ({
  start: 100 + start,
  sn: 50 + index,
  programDateTime: 1_000_000 + start * 1000 + (index === 3 ? 60_000 : 0),
}));
const details = { fragments, live: true, edge: 112 } as unknown as LevelDetails;

test("what can be rewound to", () => {
  expect(rewindOf(details, 110, 105, 2)).toEqual({ start: 100, end: 110, position: 105, buffered: 107, live: true });
  expect(rewindOf(details, 110, 90, 0)?.position).toBe(100);
  expect(rewindOf({ ...details, live: false } as LevelDetails, 110, 111, 5)).toMatchObject({ end: 112, buffered: 112, live: false });
  expect(rewindOf(details, 105, 105, 0)).toBeNull();
});

test("live is close to live", () => {
  const rewind = { start: 0, end: 100, position: 99, buffered: 99, live: true };
  expect(isAtLive(rewind)).toBe(true);
  expect(isAtLive({ ...rewind, position: 97 })).toBe(false);
  expect(isAtLive({ ...rewind, live: false })).toBe(false);
});

test("the end of a recording is reached by playing it", () => {
  const rewind = { start: 0, end: 100, position: 0, buffered: 100, live: false };
  expect(reachable(rewind, 100)).toBe(99.5);
  expect(reachable(rewind, 99)).toBe(99);
  expect(reachable({ ...rewind, live: true }, 100)).toBe(100);
});

test("a time's segment and date", () => {
  expect(placeAt(details, 103.5)).toEqual({ msn: 51, dateMs: 1_003_500 });
  expect(placeAt(details, 109)).toEqual({ msn: 53, dateMs: 1_069_000 });
  expect(placeAt(details, 0)?.msn).toBe(50);
  expect(placeAt({ ...details, fragments: [] } as unknown as LevelDetails, 5)).toBeNull();
});

test.each([
  [0, "0:00"],
  [65, "1:05"],
  [3665.4, "1:01:05"],
  [-3, "0:00"],
])("%d is %s", (seconds, words) => expect(clock(seconds)).toBe(words));

test.each([
  ["?start=0", "0"],
  ["?start=-600", "-600"],
  ["?start=2026-11-26T10:00:00Z", "2026-11-26T10:00:00Z"],
  ["?start=2026-11-26T11:00:00+01:00", "2026-11-26T11:00:00+01:00"],
  ["?start=%3Cscript%3E", null],
  ["?start=", null],
  ["", null],
])("%s begins at %s", (search, start) => expect(startOf(search)).toBe(start));
