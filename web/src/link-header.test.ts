import { describe, expect, test } from "vitest";
import { iceServersOf, linkTo, parseLinks } from "./link-header";

const LAYER = "urn:ietf:params:whep:ext:core:layer";
const EVENTS = "urn:ietf:params:whep:ext:core:server-sent-events";

test("nothing has no links", () => {
  expect(parseLinks(null)).toEqual([]);
  expect(parseLinks("")).toEqual([]);
});

test("several headers come as one, and commas in quotes part nothing", () => {
  const links = parseLinks(
    `<stun:a.example:3478>; rel="ice-server", </s/1/layer>; rel="${LAYER}", </s/1/events>; rel="${EVENTS}"; events="active,inactive,layers"`,
  );
  expect(links.map((link) => link.target)).toEqual(["stun:a.example:3478", "/s/1/layer", "/s/1/events"]);
  expect(links[2]!.parameters.get("events")).toBe("active,inactive,layers");
  expect(linkTo(links, LAYER, "https://live.example/webrtc/x")).toBe("https://live.example/s/1/layer");
  expect(linkTo(links, "next", "https://live.example/")).toBeNull();
});

describe("how parameters are written", () => {
  test.each([
    ["without quotes", "<a>; rel=next", "next"],
    ["with blanks", '<a> ;  rel = "next"', "next"],
    ["in capitals", '<a>; REL="next"', "next"],
    ["twice: the first counts", '<a>; rel="next"; rel="last"', "next"],
    ["without a value before it", '<a>; crossorigin; rel="next"', "next"],
    ["with an escape", '<a>; rel="ne\\"xt"', 'ne"xt'],
    ["not at all", "<a>", ""],
  ])("%s", (_name, header, rel) => {
    expect(parseLinks(header).map((link) => link.rel)).toEqual([rel]);
  });
});

test("STUN servers need no credentials, TURN servers have theirs", () => {
  const header =
    '<stun:a.example:3478>; rel="ice-server", ' +
    '<turn:a.example:3478?transport=udp>; rel="ice-server"; username="17:a, b"; credential="x\\\\y="; credential-type="password"';
  expect(iceServersOf(parseLinks(header))).toEqual([
    { urls: "stun:a.example:3478" },
    { urls: "turn:a.example:3478?transport=udp", username: "17:a, b", credential: "x\\y=" },
  ]);
});
