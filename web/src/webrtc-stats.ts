/** Facts about a WebRTC connection, out of what the browser counts. Pure. */

export interface ConnectionStats {
  codec: string | null;
  width: number;
  height: number;
  framesPerSecond: number;
  /** Bits per second, pictures and sound. */
  bitrate: number;
  /** Seconds that pictures wait for the ones before them. */
  jitterBuffer: number | null;
  /** Seconds there and back. */
  roundTrip: number | null;
  packetsLost: number;
  /** How often lost packets were asked for again. */
  nacks: number;
  /** How often the picture stood still, and for how many seconds in sum. */
  freezes: number;
  frozenSeconds: number;
}

/** What the browser has counted at one moment. */
export interface Counted {
  /** Milliseconds. */
  at: number;
  codec: string | null;
  width: number;
  height: number;
  framesPerSecond: number;
  framesDecoded: number;
  framesDropped: number;
  bytes: number;
  /** Seconds that all frames together have waited, and how many they were. */
  waited: number;
  waitedFrames: number;
  roundTrip: number | null;
  packetsLost: number;
  nacks: number;
  freezes: number;
  frozenSeconds: number;
}

type Report = Iterable<Readonly<Record<string, unknown>>>;

/** Gather what `getStats` tells. */
export function countedIn(report: Report, at: number): Counted {
  const all = [...report];
  const inbound = all.filter((one) => one.type === "inbound-rtp");
  const video = inbound.find((one) => one.kind === "video") ?? {};
  const codec = all.find((one) => one.type === "codec" && one.id === video.codecId);
  const transport = all.find((one) => one.type === "transport");
  const pair =
    all.find((one) => one.type === "candidate-pair" && one.id === transport?.selectedCandidatePairId) ??
    all.find((one) => one.type === "candidate-pair" && one.nominated === true);
  const sum = (name: string) => inbound.reduce((total, one) => total + number(one[name]), 0);
  return {
    at,
    codec: codec ? codecName(codec) : null,
    width: number(video.frameWidth),
    height: number(video.frameHeight),
    framesPerSecond: number(video.framesPerSecond),
    framesDecoded: number(video.framesDecoded),
    framesDropped: number(video.framesDropped),
    bytes: sum("bytesReceived"),
    waited: number(video.jitterBufferDelay),
    waitedFrames: number(video.jitterBufferEmittedCount),
    roundTrip: typeof pair?.currentRoundTripTime === "number" ? pair.currentRoundTripTime : null,
    packetsLost: sum("packetsLost"),
    nacks: sum("nackCount"),
    freezes: number(video.freezeCount),
    frozenSeconds: number(video.totalFreezesDuration),
  };
}

/** @param before what had been counted some time ago: rates and delays are those since then. */
export function connectionStats(now: Counted, before: Counted | null): ConnectionStats {
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  const frames = now.waitedFrames - (before?.waitedFrames ?? 0);
  return {
    codec: now.codec,
    width: now.width,
    height: now.height,
    framesPerSecond: now.framesPerSecond,
    bitrate: before && seconds > 0 ? ((now.bytes - before.bytes) * 8) / seconds : 0,
    jitterBuffer: frames > 0 ? (now.waited - (before?.waited ?? 0)) / frames : null,
    roundTrip: now.roundTrip,
    packetsLost: now.packetsLost,
    nacks: now.nacks,
    freezes: now.freezes,
    frozenSeconds: now.frozenSeconds,
  };
}

/** Seconds that the picture is behind the server, as far as this side can tell: on its way, and in the jitter buffer. */
export function latencyOf({ jitterBuffer, roundTrip }: ConnectionStats): number | null {
  return jitterBuffer === null ? null : jitterBuffer + (roundTrip ?? 0) / 2;
}

function codecName(codec: Readonly<Record<string, unknown>>): string {
  const name = String(codec.mimeType ?? "").replace(/^\w+\//, "");
  const profile = /profile-level-id=(\w+)/.exec(String(codec.sdpFmtpLine ?? ""))?.[1];
  return profile ? `${name} ${profile}` : name;
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
