import Hls, { type ErrorData, ErrorDetails, ErrorTypes, Events, type HlsConfig, type LevelDetails, type LoaderResponse } from "hls.js";
import { PatientAbr } from "./abr";
import { engineOf } from "./engine";
import type { Player, PlayerEvents } from "./player";
import { isAtLive, type Place, placeAt, reachable, type Rewind, rewindOf } from "./rewind";
import { ShedLevels, standIn } from "./shed";
import { bufferAhead, levelName, type PlayerStats, StallMeter } from "./stats";

/** Further behind its target than this, playback jumps to the live edge: a little faster would take too long. */
const JUMP_BEHIND_S = 3;
/** The same after a stall, where a jump does not interrupt anything any more. */
const JUMP_AFTER_STALL_S = 0.75;
/** New media arrives but nothing plays for this long: only a new player helps. */
const STUCK_MS = 5000;
/** Closer to its target than this, a viewer who had rewound is live again. */
const CAUGHT_UP_S = 0.5;
const TICK_MS = 500;
const MEDIA_RECOVERY_MS = 5000;
const MAX_ERRORS_KEPT = 50;

/** A publisher may be away for a minute: keep asking and keep the last picture, rather than begin anew. */
const PLAYLIST_RETRIES = 30;

const CONFIG: Partial<HlsConfig> = {
  autoStartLoad: false,
  enableWorker: false, // fMP4 needs no transmuxing
  lowLatencyMode: true,
  maxLiveSyncPlaybackRate: 1.08,
  liveSyncOnStallIncrease: 0.1,
  abrController: PatientAbr,
  testBandwidth: false,
  abrEwmaDefaultEstimate: 3_000_000,
  // The server encodes a rung when somebody asks for it, and the first one listed is there anyway: who arrives takes
  // that one, and only the bandwidth leads away from it.
  capLevelToPlayerSize: false,
  errorPenaltyExpireMs: 30_000, // else a rung that was a gap once is never chosen again
  maxBufferLength: 20,
  backBufferLength: 20,
  playlistLoadPolicy: {
    default: {
      maxTimeToFirstByteMs: 10_000,
      maxLoadTimeMs: 20_000,
      timeoutRetry: { maxNumRetry: PLAYLIST_RETRIES, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: { maxNumRetry: PLAYLIST_RETRIES, retryDelayMs: 500, maxRetryDelayMs: 4000, shouldRetry: isTransient },
    },
  },
};

function isTransient(_retry: unknown, _count: number, isTimeout: boolean, response: LoaderResponse | undefined): boolean {
  return isTimeout || response?.code !== 404;
}

/** Plays one HLS address in a media element: hls.js where Media Source Extensions exist, else the browser's own. */
export class HlsPlayer implements Player {
  static supported(video: HTMLVideoElement): boolean {
    return engineOf(Hls.isSupported(), video) !== null;
  }

  private readonly hls: Hls | null;
  private readonly stalls = new StallMeter();
  private readonly errors: string[] = [];
  private readonly shed: ShedLevels;
  private chosen = -1;
  private readonly listeners = new AbortController();
  private readonly timer: number;
  private recoveredAt = -Infinity;
  private newestMedia = -1;
  private stuckMs = 0;
  private mediaCame = false;
  private resumed = false;
  /** Whether the viewer has gone elsewhere, and nothing has played there yet: no stall. */
  private isSought = false;
  /** Whether the viewer is behind live on purpose. */
  private rewound: boolean;

  constructor(
    private readonly video: HTMLVideoElement,
    url: string,
    private readonly events: PlayerEvents,
    start: string | null = null,
  ) {
    this.rewound = start !== null;
    this.listen();
    this.shed = new ShedLevels(
      (level) => this.hls?.levels[level]?.uri ?? "",
      () => this.applyLevel(),
    );
    const address = start === null ? url : `${url}?${new URLSearchParams({ start })}`;
    this.hls = engineOf(Hls.isSupported(), video) === "hls.js" ? this.attachHls(address) : null;
    if (!this.hls) video.src = address;
    this.timer = window.setInterval(() => this.keepUp(), TICK_MS);
    void video.play().catch(() => undefined); // refused autoplay leaves the play button
  }

  get levels(): string[] {
    return this.hls?.levels.map(levelName) ?? [];
  }

  get isStalled(): boolean {
    return this.stalls.isStalled;
  }

  chooseLevel(name: string | null): void {
    this.chosen = name === null ? -1 : this.levels.indexOf(name);
    this.applyLevel();
  }

  rewind(): Rewind | null {
    const details = this.hls?.latestLevelDetails;
    if (!details || !this.hls) return null;
    const { video } = this;
    return rewindOf(details, this.hls.liveSyncPosition, video.currentTime, bufferAhead(video.buffered, video.currentTime));
  }

  placeAt(time: number): Place | null {
    const details = this.hls?.latestLevelDetails;
    return details ? placeAt(details, time) : null;
  }

  seek(wanted: number): void {
    const rewind = this.rewind();
    const time = rewind ? reachable(rewind, wanted) : wanted;
    this.rewound = rewind === null || !isAtLive({ ...rewind, position: time });
    this.isSought = true;
    if (!bufferAhead(this.video.buffered, time)) {
      // What is buffered may begin within a segment, by its parts: hls.js takes that one for loaded, and leaves a hole.
      this.hls?.trigger(Events.BUFFER_FLUSHING, { startOffset: 0, endOffset: Infinity, type: null });
    }
    this.video.currentTime = time;
  }

  /** Seconds behind what the player aims at; 0 when not known. */
  get behindTarget(): number {
    return this.hls?.latency && this.hls.targetLatency ? this.hls.latency - this.hls.targetLatency : 0;
  }

  /** Stop, and go on from here later: a viewer who pauses wants to miss nothing, as far as there is a past. */
  pause(): void {
    this.rewound = this.rewind() !== null;
    this.video.pause();
  }

  play(): void {
    if (!this.rewound) this.goLive();
    void this.video.play().catch(() => undefined);
  }

  goLive(): void {
    this.rewound = false;
    const position = this.hls ? this.hls.liveSyncPosition : this.seekableEnd();
    if (position !== null && position > this.video.currentTime) this.video.currentTime = position;
    void this.video.play().catch(() => undefined);
  }

  stats(): Omit<PlayerStats, "phase"> {
    const { hls, video } = this;
    const quality = video.getVideoPlaybackQuality();
    const shown = hls?.levels[hls.currentLevel];
    return {
      transport: "hls",
      connection: null,
      isStalled: this.isStalled,
      latency: hls?.latency || null,
      targetLatency: hls?.targetLatency ?? null,
      level: shown ? levelName(shown) : null,
      levels: this.levels,
      auto: this.chosen < 0,
      currentTime: video.currentTime,
      buffer: bufferAhead(video.buffered, video.currentTime),
      droppedFrames: quality.droppedVideoFrames,
      totalFrames: quality.totalVideoFrames,
      playbackRate: video.playbackRate,
      bandwidth: hls?.bandwidthEstimate || null,
      rewind: this.rewind(),
      stalls: this.stalls.count,
      stalledSeconds: this.stalls.seconds(performance.now()),
      errors: this.errors,
    };
  }

  destroy(): void {
    clearInterval(this.timer);
    this.shed.close();
    this.listeners.abort();
    this.hls?.destroy();
    if (!this.hls) this.video.removeAttribute("src");
  }

  private attachHls(url: string): Hls {
    const hls = new Hls(CONFIG);
    hls.on(Events.MANIFEST_PARSED, () => {
      hls.startLevel = hls.firstLevel;
      hls.startLoad();
      this.events.onLevels(this.levels);
    });
    hls.on(Events.LEVEL_UPDATED, (_event, { details, level }) => {
      this.onPlaylist(details);
      this.shed.note(level, details);
    });
    hls.on(Events.ERROR, (_event, data) => this.onError(hls, data));
    hls.attachMedia(this.video);
    hls.loadSource(url);
    return hls;
  }

  /** Load the rung that was chosen, or one that stands in for it; what is buffered is played, so nothing stalls. */
  private applyLevel(): void {
    const { hls, chosen } = this;
    if (!hls) return;
    const shed = this.shed.all;
    const lowest = Math.min(...shed);
    hls.autoLevelCapping = shed.size && lowest > 0 ? lowest - 1 : -1;
    if (chosen >= 0) hls.loadLevel = shed.has(chosen) ? standIn(chosen, hls.levels.length, shed) : chosen;
    else hls.loadLevel = shed.has(0) ? standIn(0, hls.levels.length, shed) : -1;
  }

  private listen(): void {
    const on = (name: string, handle: () => void) =>
      this.video.addEventListener(name, handle, { signal: this.listeners.signal });
    on("playing", () => {
      this.resumed = this.stalls.isStalled;
      this.isSought = false;
      this.stalls.onPlaying(performance.now());
    });
    on("waiting", () => this.stalls.onWaiting(performance.now(), this.isSought || this.video.seeking || this.isEnded()));
    on("ended", () => this.events.onEnded());
    on("error", () => this.hls || this.events.onFailed(this.video.error?.message ?? "media error"));
  }

  private onError(hls: Hls, data: ErrorData): void {
    const status = data.response?.code ? ` ${data.response.code}` : "";
    if (this.errors.length < MAX_ERRORS_KEPT) {
      this.errors.push(`${data.fatal ? "fatal " : ""}${data.details}${status}`);
    }
    // hls.js has left the rung for good; the playlist may have media again already.
    if (data.details === ErrorDetails.FRAG_GAP && data.frag?.type === "main") this.shed.add(data.frag.level);
    if (!data.fatal) return;
    const now = performance.now();
    if (data.type === ErrorTypes.MEDIA_ERROR && now - this.recoveredAt > MEDIA_RECOVERY_MS) {
      this.recoveredAt = now;
      hls.recoverMediaError();
      return;
    }
    this.events.onFailed(data.details);
  }

  private onPlaylist(details: LevelDetails): void {
    const newest = details.lastPartSn + Math.max(0, details.lastPartIndex) / 1000;
    if (details.live && newest < Math.floor(this.newestMedia) - 1) {
      this.events.onFailed("the playlist began anew");
      return;
    }
    if (newest > this.newestMedia) this.mediaCame = true;
    this.newestMedia = Math.max(newest, this.newestMedia);
  }

  private keepUp(): void {
    if (this.video.paused || this.isEnded()) return;
    this.stuckMs = this.isStalled ? this.stuckMs + (this.mediaCame ? TICK_MS : 0) : 0;
    this.mediaCame = false;
    if (this.stuckMs > STUCK_MS) {
      this.events.onFailed("playback is stuck");
      return;
    }
    const tooFar = this.behindTarget > (this.resumed ? JUMP_AFTER_STALL_S : JUMP_BEHIND_S);
    if (tooFar && !this.rewound) this.goLive();
    const rewind = this.rewind();
    if (!this.isSought && rewind && rewind.end - rewind.position < CAUGHT_UP_S) this.rewound = false;
    this.resumed = false;
  }

  private isEnded(): boolean {
    return this.video.ended || this.hls?.latestLevelDetails?.live === false;
  }

  private seekableEnd(): number | null {
    const { seekable } = this.video;
    return seekable.length ? seekable.end(seekable.length - 1) : null;
  }
}
