import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseLayers, WhepError, WhepSession } from "./whep";
import { preferStereo, restartedAnswer, restartFragment } from "./whep-sdp";

const URL_OF = "https://live.example/webrtc/1";
const SESSION = "https://live.example/webrtc/1/session/abc";
const OFFER = [
  "v=0",
  "a=group:BUNDLE 0 1",
  "m=video 9 UDP/TLS/RTP/SAVPF 108",
  "a=mid:0",
  "a=ice-ufrag:old",
  "a=ice-pwd:oldpassword",
  "a=rtpmap:108 H264/90000",
  "a=fmtp:108 packetization-mode=1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "a=mid:1",
  "a=ice-ufrag:old",
  "a=rtpmap:111 opus/48000/2",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "",
].join("\r\n");
const HEADERS = {
  Location: "/webrtc/1/session/abc",
  ETag: '"e1"',
  Link: '<turn:t.example>; rel="ice-server"; username="u"; credential="c", </webrtc/1/session/abc/layer>; rel="urn:ietf:params:whep:ext:core:layer", </webrtc/1/session/abc/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events"',
};

type Call = { url: string; method: string; headers: Record<string, string>; body: string };
let calls: Call[];
let answers: Response[];
let done: string[];

function connection(): RTCPeerConnection {
  const note = (name: string) => (value: { type?: string; iceServers?: unknown[] }) => {
    done.push(`${name} ${value.type ?? value.iceServers?.length}`);
    return Promise.resolve();
  };
  const fake = {
    createOffer: () => Promise.resolve({ sdp: OFFER }),
    createAnswer: () => Promise.resolve({ sdp: OFFER }),
    getConfiguration: () => ({}),
    setConfiguration: note("configure"),
    setLocalDescription: note("local"),
    setRemoteDescription: note("remote"),
    close: () => done.push("close"),
  };
  return fake as unknown as RTCPeerConnection;
}

const open = () => WhepSession.open(connection(), URL_OF, new AbortController().signal);
const answer = (status: number, headers: Record<string, string> = {}, body: string | null = "v=0\r\na=ice-ufrag:s\r\n") =>
  new Response(body, { status, headers });

beforeEach(() => {
  [calls, answers, done] = [[], [], []];
  vi.stubGlobal("fetch", (url: string, options: Call) => {
    calls.push({ url, method: options.method, headers: options.headers, body: options.body });
    const next = answers.shift();
    return next ? Promise.resolve(next) : Promise.reject(new TypeError("nobody answers"));
  });
});
afterEach(() => vi.unstubAllGlobals());

test("a session: servers are known before the local description", async () => {
  answers = [answer(201, HEADERS), answer(200)];
  const session = await open();
  expect(calls[0]).toMatchObject({ url: URL_OF, method: "POST", headers: { "Content-Type": "application/sdp" } });
  expect(calls[0]!.body).toContain("useinbandfec=1;stereo=1");
  expect(done).toEqual(["configure 1", "local offer", "remote answer"]);
  expect(session.eventsUrl).toBe(`${SESSION}/events`);
  await session.chooseLayer("480p");
  expect(calls[1]).toMatchObject({ url: `${SESSION}/layer`, method: "POST", body: '{"encodingId":"480p"}' });
});

test("a counter-offer is answered", async () => {
  answers = [answer(406, { Location: HEADERS.Location }), answer(204, {}, null)];
  await open();
  expect(done).toEqual(["remote offer", "local answer"]);
  expect(calls[1]).toMatchObject({ url: SESSION, method: "PATCH", headers: { "Content-Type": "application/sdp" } });
});

test("an answer to a counter-offer that is refused ends the session", async () => {
  answers = [answer(406, { Location: HEADERS.Location }), answer(400), answer(200)];
  await expect(open()).rejects.toBeInstanceOf(WhepError);
  expect(calls.map((call) => call.method)).toEqual(["POST", "PATCH", "DELETE"]);
});

test.each([
  ["not live yet", 409, { "Retry-After": "7" }, true, 7],
  ["not live yet, and when is not said", 409, {}, true, 2],
  ["overloaded", 503, { "Retry-After": "5" }, false, 5],
  ["unknown", 404, {}, false, 2],
  ["a session without an address", 201, {}, false, 2],
] as const)("%s", async (_name, status, headers, isNotYet, retryAfterS) => {
  answers = [answer(status, headers)];
  const error = (await open().catch((reason: unknown) => reason)) as WhepError;
  expect(error).toBeInstanceOf(WhepError);
  expect([error.status, error.isNotYet, error.retryAfterS]).toEqual([status, isNotYet, retryAfterS]);
  expect(done).toEqual([]);
});

test("ICE is restarted, each time for the session that counts", async () => {
  const { signal } = new AbortController();
  answers = [answer(201, HEADERS), answer(200, { ETag: '"e2"' }, "a=ice-ufrag:new\r\na=ice-pwd:secret\r\n"), answer(412)];
  const session = await open();
  await session.restartIce(signal);
  expect(calls[1]).toMatchObject({
    url: SESSION,
    method: "PATCH",
    headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": '"e1"' },
  });
  await expect(session.restartIce(signal)).rejects.toMatchObject({ status: 412 });
  expect(calls[2]!.headers["If-Match"]).toBe('"e2"');
});

test("the session is ended before its connection", async () => {
  answers = [answer(201, HEADERS), answer(200)];
  const session = await open();
  session.close();
  expect(calls[1]).toMatchObject({ url: SESSION, method: "DELETE" });
  expect(done).not.toContain("close");
  await vi.waitFor(() => expect(done).toContain("close"));
});

test("stereo is asked for once, of Opus alone", () => {
  const offer = preferStereo(OFFER);
  expect(offer).toContain("a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n");
  expect(offer).toContain("a=fmtp:108 packetization-mode=1\r\n");
  expect(preferStereo(offer)).toBe(offer);
});

test("a restart's fragment has the transport of the first m-line", () => {
  expect(restartFragment(OFFER).split("\r\n")).toEqual([
    "a=group:BUNDLE 0 1",
    "m=video 9 UDP/TLS/RTP/SAVPF 108",
    "a=mid:0",
    "a=ice-ufrag:old",
    "a=ice-pwd:oldpassword",
    "",
  ]);
});

test("a restarted answer has the new credentials in every m-line", () => {
  const restarted = restartedAnswer(OFFER, "a=ice-lite\r\na=ice-ufrag:new\r\na=ice-pwd:$1newpassword\r\n");
  expect(restarted.match(/a=ice-ufrag:new\r\n/g)).toHaveLength(2);
  expect(restarted).toContain("a=ice-pwd:$1newpassword\r\n");
  expect(restarted).not.toContain("old");
});

test("a layers event has its layers under the m-line", () => {
  const layer = { encodingId: "720p", width: 1280, height: 720, bitrate: 0 };
  expect(parseLayers(JSON.stringify({ 0: [layer], active: "720p", chosen: null }))).toEqual({
    active: "720p",
    chosen: null,
    layers: [layer],
  });
  expect(parseLayers('{"active": null, "chosen": null}').layers).toEqual([]);
});
