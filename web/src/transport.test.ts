import { expect, test } from "vitest";
import { AVOID_MS, forcedTransport, TransportChoice, whepUrl } from "./transport";

test.each([
  ["live", null, true, true, false, "webrtc"],
  ["a past is wanted", null, true, true, true, "hls"],
  ["it is over", null, true, false, false, "hls"],
  ["a browser without WebRTC", null, false, true, false, "hls"],
  ["HLS is asked for", "hls", true, true, false, "hls"],
  ["WebRTC is asked for", "webrtc", true, true, true, "webrtc"],
  ["WebRTC is asked for, and it is over", "webrtc", true, false, false, "hls"],
  ["WebRTC is asked for where there is none", "webrtc", false, true, false, "hls"],
] as const)("%s", (_name, forced, isSupported, isLive, wantsPast, expected) => {
  expect(new TransportChoice(forced, isSupported).choose(isLive, wantsPast, 0)).toBe(expected);
});

test("after it has failed, WebRTC is left alone for a while", () => {
  const choice = new TransportChoice(null, true);
  choice.onUnavailable(1000);
  expect(choice.choose(true, false, 1000 + AVOID_MS - 1)).toBe("hls");
  expect(choice.choose(true, false, 1000 + AVOID_MS)).toBe("webrtc");
});

test("whoever asks for WebRTC gets no HLS instead", () => {
  const choice = new TransportChoice("webrtc", true);
  expect(choice.hasAlternative).toBe(false);
  choice.onUnavailable(0);
  expect(choice.choose(true, false, 1)).toBe("webrtc");
});

test.each([
  ["", null],
  ["?transport=hls", "hls"],
  ["?start=0&transport=webrtc", "webrtc"],
  ["?transport=pigeon", null],
] as const)("%s", (search, expected) => {
  expect(forcedTransport(search)).toBe(expected);
});

test.each([
  ["https://live.example/webrtc/1", "https://live.example/webrtc/1"],
  ["http://live.example/webrtc/1", "https://live.example/webrtc/1"],
  ["https://cdn.example/webrtc/1", "https://cdn.example/webrtc/1"],
  ["/webrtc/1", "https://live.example/webrtc/1"],
])("%s", (named, expected) => {
  expect(whepUrl(named, { host: "live.example", origin: "https://live.example" })).toBe(expected);
});
