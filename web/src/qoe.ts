/** Tells the server how playback goes; the broadcaster sees what all viewers' reports come to. */
import { isAtLive } from "./rewind";
import type { PlayerStats } from "./stats";

/** Between two reports. */
const EVERY_MS = 10_000;
/** What the server takes for the name of a rung. */
const RUNG = /^[A-Za-z0-9-]{1,24}$/;

/** The body of `POST /api/v1/streams/:id/qoe`. */
export interface QoeReport {
  session: string;
  startup_ms?: number;
  latency_s?: number;
  rung?: string;
  stalls: number;
  stalled_s: number;
}

/** Makes reports out of what the player tells; each says what is new since the one before. Pure. */
export class QoeMeter {
  private wantedAt: number | null = null;
  private hasPicture = false;
  private startupMs: number | null = null;
  private isDetour = false;
  private stalls = 0;
  private stalledSeconds = 0;

  /** @param session tells this page apart from others behind the same address. */
  constructor(private readonly session: string) {}

  /** Somebody wants to watch: there is media, and nothing forbids to play it. */
  onWanted(nowMs: number): void {
    if (!this.hasPicture && !this.isDetour) this.wantedAt = nowMs;
  }

  /** What somebody wants to watch comes another way: they have waited since they wanted it. */
  onDetour(): void {
    this.isDetour = true;
  }

  onPlaying(nowMs: number): void {
    if (this.hasPicture) return;
    this.hasPicture = true;
    if (this.wantedAt !== null) this.startupMs = Math.round(nowMs - this.wantedAt);
  }

  /** @returns null when there is nothing to tell: nothing has played yet, or nothing plays and nothing has happened. */
  report(stats: PlayerStats, isPlaying: boolean): QoeReport | null {
    if (!this.hasPicture) return null;
    // Another player begins to count anew.
    const isSame = stats.stalls >= this.stalls && stats.stalledSeconds >= this.stalledSeconds;
    const stalls = stats.stalls - (isSame ? this.stalls : 0);
    const stalledSeconds = stats.stalledSeconds - (isSame ? this.stalledSeconds : 0);
    if (!isPlaying && !stalls && this.startupMs === null) return null;
    const report: QoeReport = { session: this.session, stalls, stalled_s: Math.round(stalledSeconds * 1000) / 1000 };
    if (this.startupMs !== null) report.startup_ms = this.startupMs;
    if (isPlaying && stats.latency !== null && stats.latency >= 0 && (stats.rewind === null || isAtLive(stats.rewind)))
      report.latency_s = Math.round(stats.latency * 1000) / 1000;
    if (isPlaying && stats.level !== null && RUNG.test(stats.level)) report.rung = stats.level;
    this.startupMs = null;
    this.stalls = stats.stalls;
    this.stalledSeconds = stats.stalledSeconds;
    return report;
  }
}

/** Sends the reports of a page, and a last one when it is left. */
export class QoeReporter {
  private readonly meter = new QoeMeter(randomName());
  private readonly url: string;
  private watched: HTMLVideoElement | null = null;

  constructor(
    streamId: string,
    private readonly stats: () => PlayerStats,
    private readonly isPlaying: () => boolean,
  ) {
    this.url = `/api/v1/streams/${encodeURIComponent(streamId)}/qoe`;
  }

  /** @returns a function that stops it, with a last report. */
  start(): () => void {
    const timer = setInterval(() => this.send(), EVERY_MS);
    const leave = () => this.send(true);
    addEventListener("pagehide", leave);
    return () => {
      clearInterval(timer);
      removeEventListener("pagehide", leave);
      leave();
    };
  }

  /** Follow a media element that a player has just been made for. */
  watch(video: HTMLVideoElement): void {
    const now = () => performance.now();
    this.meter.onWanted(now());
    if (video === this.watched) return;
    this.watched = video;
    // Where autoplay is refused, somebody wants to watch who presses the button.
    video.addEventListener("play", () => this.meter.onWanted(now()));
    video.addEventListener("playing", () => this.meter.onPlaying(now()), { once: true });
  }

  /** The picture did not come the way that was tried first; another one is tried now. */
  onDetour(): void {
    this.meter.onDetour();
  }

  private send(isLast = false): void {
    const report = this.meter.report(this.stats(), this.isPlaying());
    if (!report) return;
    const body = new Blob([JSON.stringify(report)], { type: "application/json" });
    if (isLast && navigator.sendBeacon(this.url, body)) return;
    // Whether it arrives makes no difference to whoever watches.
    void fetch(this.url, { method: "POST", body, keepalive: true }).catch(() => undefined);
  }
}

/** `crypto.randomUUID` is there for https alone. */
function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
