import { expect, test } from "vitest";
import { ConnectionWatch, DISCONNECTED_MS, PICTURE_MS, RESTART_MS } from "./connection-watch";

function starting(): ConnectionWatch {
  const watch = new ConnectionWatch();
  watch.onOffer(0);
  return watch;
}

function playing(): ConnectionWatch {
  const watch = starting();
  watch.onState("connected", 50);
  watch.onPicture();
  return watch;
}

test("a picture in time leaves nothing to do", () => {
  const watch = starting();
  expect(watch.take(PICTURE_MS - 1, true)).toBeNull();
  expect(watch.isPlaying).toBe(false);
  watch.onPicture();
  expect(watch.isPlaying).toBe(true);
  expect(watch.take(1e9, true)).toBeNull();
});

test.each([
  ["nothing gets through", "connecting"],
  ["the connection is there, and no picture", "connected"],
] as const)("no picture in time, %s", (_name, state) => {
  const watch = starting();
  watch.onState(state, 10);
  expect(watch.take(PICTURE_MS, true)).toBe("give up");
  expect(watch.take(1e9, true)).toBeNull();
});

test("what fails before the picture is not waited for", () => {
  const watch = starting();
  watch.onState("failed", 700);
  expect(watch.take(700, true)).toBe("give up");
});

test("no picture comes of a broadcaster who is away", () => {
  const watch = starting();
  watch.onState("connected", 10);
  expect(watch.take(PICTURE_MS, false)).toBeNull();
  expect(watch.take(2 * PICTURE_MS, false)).toBeNull();
  watch.onPicture();
  expect(watch.isPlaying).toBe(true);
});

test("whose connection does not come about is not told by a broadcaster who is away", () => {
  expect(starting().take(PICTURE_MS, false)).toBe("give up");
});

test("nothing to watch yet: no offer is out, and nothing is waited for", () => {
  const watch = starting();
  watch.onNotYet();
  expect(watch.take(1e9, true)).toBeNull();
  watch.onOffer(1e9);
  expect(watch.take(1e9 + PICTURE_MS, true)).toBe("give up");
});

test("a short silence is let pass", () => {
  const watch = playing();
  watch.onState("disconnected", 1000);
  expect(watch.take(1000 + DISCONNECTED_MS - 1, true)).toBeNull();
  watch.onState("connected", 1000 + DISCONNECTED_MS - 1);
  expect(watch.take(1e9, true)).toBeNull();
});

test("a long silence: another way, then another session, then another transport", () => {
  const watch = playing();
  watch.onState("disconnected", 1000);
  let now = 1000 + DISCONNECTED_MS;
  expect(watch.take(now, true)).toBe("restart");
  expect(watch.take(now + RESTART_MS - 1, true)).toBeNull();
  now += RESTART_MS;
  expect(watch.take(now, true)).toBe("renew");
  expect(watch.take(now, true)).toBeNull();
  watch.onOffer(now);
  expect(watch.take(now + PICTURE_MS, true)).toBe("give up");
  expect(watch.hasPlayed).toBe(true);
});

test("a restart that helps", () => {
  const watch = playing();
  watch.onState("failed", 1000);
  expect(watch.take(1000, true)).toBe("restart");
  watch.onState("connected", 1200);
  expect(watch.isPlaying).toBe(true);
  expect(watch.take(1e9, true)).toBeNull();
});

test("a restart that fails is not waited for", () => {
  const watch = playing();
  watch.onState("failed", 1000);
  watch.take(1000, true);
  watch.onState("failed", 1500);
  expect(watch.take(1500, true)).toBe("renew");
});

test("a session that the server has ended: a new one at once", () => {
  const watch = playing();
  watch.onGone(1000);
  expect(watch.isPlaying).toBe(false);
  expect(watch.take(1000, true)).toBe("renew");
});

test("another network: another way at once", () => {
  const watch = playing();
  watch.onNetworkChange(1000);
  expect(watch.take(1000, true)).toBe("restart");
});

test("what comes late changes nothing", () => {
  const watch = starting();
  watch.take(PICTURE_MS, true);
  watch.onState("failed", PICTURE_MS + 1);
  watch.onGone(PICTURE_MS + 1);
  watch.onNetworkChange(PICTURE_MS + 1);
  expect(watch.take(1e9, true)).toBeNull();
});
