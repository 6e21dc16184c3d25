import { expect, test } from "vitest";
import { engineOf } from "./engine";

test.each([
  ["Chrome, which says that it may play HLS", true, "maybe", "hls.js"],
  ["Safari with managed media sources", true, "probably", "hls.js"],
  ["an older iPhone", false, "maybe", "native"],
  ["a browser that plays nothing", false, "", null],
] as const)("%s", (_name, hasMediaSource, answer, engine) => {
  expect(engineOf(hasMediaSource, { canPlayType: () => answer })).toBe(engine);
});
