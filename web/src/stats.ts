/** Facts about playback, worked out of what the browser and hls.js tell. Pure. */
import type { Rewind } from "./rewind";
import type { Transport } from "./transport";
import type { ConnectionStats } from "./webrtc-stats";

export interface PlayerStats {
  phase: string;
  /** How the picture comes. */
  transport: Transport | null;
  /** What is known of the WebRTC connection, where there is one. */
  connection: ConnectionStats | null;
  /** Whether playback has run dry. */
  isStalled: boolean;
  /** Seconds behind the live edge; null when not known. */
  latency: number | null;
  targetLatency: number | null;
  /** Name of the rung on the screen, such as `720p`. */
  level: string | null;
  levels: string[];
  auto: boolean;
  currentTime: number;
  /** Seconds of media after the playhead. */
  buffer: number;
  droppedFrames: number;
  totalFrames: number;
  playbackRate: number;
  /** Bits per second. */
  bandwidth: number | null;
  /** What can be rewound to. */
  rewind: Rewind | null;
  /** How often playback ran dry after it had begun, and for how many seconds in sum. */
  stalls: number;
  stalledSeconds: number;
  errors: string[];
}

/** The rung's name: as the playlist says, else from its address, else from its shorter side. */
export function levelName(level: { name?: string | undefined; url: string[]; width: number; height: number }): string {
  if (level.name) return level.name;
  const fromUrl = /\/(\d+p(?:-\w+)?)\/[^/]*$/.exec(level.url[0] ?? "")?.[1];
  return fromUrl ?? `${Math.min(level.width || level.height, level.height)}p`;
}

/** The rung's name for people: a copy of the source in its own codec is `720p AV1`. */
export function levelLabel(name: string): string {
  return name.replace(/-(\w+)$/, (_match, codec: string) => ` ${codec.toUpperCase()}`);
}

/** Seconds buffered after `time` without a hole. */
export function bufferAhead(buffered: TimeRanges, time: number): number {
  const tolerance = 0.1;
  for (let i = 0; i < buffered.length; i++) {
    if (time >= buffered.start(i) - tolerance && time < buffered.end(i)) return buffered.end(i) - time;
  }
  return 0;
}

/** Milliseconds to wait before the next try: doubles up to a bound. */
export function backoffMs(attempt: number, firstMs = 500, maxMs = 8000): number {
  return Math.min(maxMs, firstMs * 2 ** attempt);
}

export function formatBitrate(bitsPerSecond: number): string {
  return bitsPerSecond >= 1e6
    ? `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`
    : `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
}

/** Counts how often playback ran dry, from the media element's events. */
export class StallMeter {
  count = 0;
  private begun = false;
  private stalledAt: number | null = null;
  private totalMs = 0;

  get isStalled(): boolean {
    return this.stalledAt !== null;
  }

  onPlaying(nowMs: number): void {
    this.begun = true;
    if (this.stalledAt !== null) this.totalMs += nowMs - this.stalledAt;
    this.stalledAt = null;
  }

  /** @param expected the pause was asked for: a seek, or the end of the broadcast. */
  onWaiting(nowMs: number, expected: boolean): void {
    if (!this.begun || expected || this.stalledAt !== null) return;
    this.count += 1;
    this.stalledAt = nowMs;
  }

  seconds(nowMs: number): number {
    return (this.totalMs + (this.stalledAt === null ? 0 : nowMs - this.stalledAt)) / 1000;
  }
}

/** What is known of a player that plays nothing. */
export const IDLE: Omit<PlayerStats, "phase"> = {
  transport: null,
  connection: null,
  isStalled: false,
  latency: null,
  targetLatency: null,
  level: null,
  levels: [],
  auto: true,
  currentTime: 0,
  buffer: 0,
  droppedFrames: 0,
  totalFrames: 0,
  playbackRate: 1,
  bandwidth: null,
  rewind: null,
  stalls: 0,
  stalledSeconds: 0,
  errors: [],
};
