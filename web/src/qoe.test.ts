import { describe, expect, test } from "vitest";
import { QoeMeter } from "./qoe";
import { IDLE, type PlayerStats } from "./stats";

const PLAYING: PlayerStats = { ...IDLE, phase: "playing", latency: 2.5, targetLatency: 2, level: "720p", levels: ["720p"] };
const stats = (part: Partial<PlayerStats> = {}): PlayerStats => ({ ...PLAYING, ...part });

function playing(): QoeMeter {
  const meter = new QoeMeter("session-1");
  meter.onWanted(1000);
  meter.onPlaying(1750.4);
  return meter;
}

test("nothing has played: nothing is told", () => {
  const meter = new QoeMeter("session-1");
  expect(meter.report(stats(), false)).toBeNull();
  meter.onWanted(0);
  expect(meter.report(stats(), true)).toBeNull();
});

test("the start is told once, from when it was wanted last", () => {
  const meter = new QoeMeter("session-1");
  meter.onWanted(0);
  meter.onWanted(60_000); // autoplay was refused, and somebody came back to press the button
  meter.onPlaying(60_500);
  meter.onWanted(70_000);
  meter.onPlaying(75_000);
  const first = meter.report(stats(), true);
  expect(first).toEqual({ session: "session-1", startup_ms: 500, latency_s: 2.5, rung: "720p", stalls: 0, stalled_s: 0 });
  expect(meter.report(stats(), true)).not.toHaveProperty("startup_ms");
});

test("each report has what is new, also of another player", () => {
  const meter = playing();
  const told = [
    stats({ stalls: 2, stalledSeconds: 1.5 }),
    stats({ stalls: 3, stalledSeconds: 1.75 }),
    stats({ stalls: 1, stalledSeconds: 0.5 }),
    stats({ stalls: 1, stalledSeconds: 0.5 }),
  ].map((one) => meter.report(one, true));
  expect(told.map((one) => [one?.stalls, one?.stalled_s])).toEqual([
    [2, 1.5],
    [1, 0.25],
    [1, 0.5],
    [0, 0],
  ]);
});

describe("what is left out", () => {
  const behind = { start: 0, end: 100, position: 20, buffered: 30, live: true };
  test.each([
    ["who has rewound has no latency", stats({ rewind: behind }), ["rung"]],
    ["at live there is one", stats({ rewind: { ...behind, position: 99 } }), ["latency_s", "rung"]],
    ["it may not be known", stats({ latency: null }), ["rung"]],
    ["a rung without a name", stats({ level: null }), ["latency_s"]],
    ["a name that is none", stats({ level: "best quality!" }), ["latency_s"]],
  ])("%s", (_name, told, fields) => {
    const meter = playing();
    meter.report(stats(), true);
    const report = meter.report(told, true);
    expect(Object.keys(report ?? {}).filter((name) => ["latency_s", "rung"].includes(name))).toEqual(fields);
  });
});

test("who pauses tells nothing but what has happened", () => {
  const meter = playing();
  expect(meter.report(stats(), false)).toEqual({ session: "session-1", startup_ms: 750, stalls: 0, stalled_s: 0 });
  expect(meter.report(stats(), false)).toBeNull();
  expect(meter.report(stats({ stalls: 1, stalledSeconds: 0.1 }), false)).toMatchObject({ stalls: 1, stalled_s: 0.1 });
});

test("what did not come one way and came another was wanted all the time", () => {
  const meter = new QoeMeter("session-1");
  meter.onWanted(1000);
  meter.onDetour();
  meter.onWanted(4200);
  meter.onPlaying(5000);
  expect(meter.report(stats(), true)?.startup_ms).toBe(4000);
});
