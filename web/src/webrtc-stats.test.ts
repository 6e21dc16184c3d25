import { expect, test } from "vitest";
import { connectionStats, countedIn, latencyOf } from "./webrtc-stats";

const report = (bytes: number, waited: number, frames: number) => [
  { type: "codec", id: "c1", mimeType: "video/H264", sdpFmtpLine: "packetization-mode=1;profile-level-id=42e01f" },
  { type: "codec", id: "c2", mimeType: "audio/opus" },
  { type: "inbound-rtp", kind: "audio", codecId: "c2", bytesReceived: 1000, packetsLost: 1 },
  {
    type: "inbound-rtp", kind: "video", codecId: "c1", bytesReceived: bytes, packetsLost: 2, nackCount: 3,
    frameWidth: 1280, frameHeight: 720, framesPerSecond: 30, framesDecoded: frames, framesDropped: 1,
    jitterBufferDelay: waited, jitterBufferEmittedCount: frames, freezeCount: 1, totalFreezesDuration: 0.4,
  },
  { type: "candidate-pair", id: "p1", nominated: true, currentRoundTripTime: 9 },
  { type: "candidate-pair", id: "p2", nominated: true, currentRoundTripTime: 0.02 },
  { type: "transport", id: "t", selectedCandidatePairId: "p2" },
];

test("rates and delays are those since the count before", () => {
  const before = countedIn(report(100_000, 10, 100), 1000);
  const stats = connectionStats(countedIn(report(350_000, 10.75, 130), 2000), before);
  expect(stats).toEqual({
    codec: "H264 42e01f", width: 1280, height: 720, framesPerSecond: 30, bitrate: 2_000_000,
    jitterBuffer: 0.025, roundTrip: 0.02, packetsLost: 3, nacks: 3, freezes: 1, frozenSeconds: 0.4,
  });
  expect(latencyOf(stats)).toBeCloseTo(0.035);
});

test("nothing counted yet", () => {
  const stats = connectionStats(countedIn([], 0), null);
  expect(stats).toMatchObject({ codec: null, bitrate: 0, jitterBuffer: null, roundTrip: null, freezes: 0 });
  expect(latencyOf(stats)).toBeNull();
});

test("a browser that names no transport has a pair all the same", () => {
  const found = report(0, 0, 0).filter((one) => one.type !== "transport" && one.id !== "p1");
  expect(countedIn(found, 0).roundTrip).toBe(0.02);
});
