import { ApiError, getStream, type Stream } from "./api";
import { Player } from "./player";
import { QoeReporter } from "./qoe";
import { backoffMs, IDLE, type PlayerStats } from "./stats";

export type Phase =
  | "loading"
  | "waiting"
  | "playing"
  | "reconnecting"
  | "ended"
  | "cancelled"
  | "missing"
  | "unsupported";

export interface BroadcastState {
  phase: Phase;
  stream: Stream | null;
  levels: string[];
  /** Whether the server answers. */
  reachable: boolean;
}

declare global {
  interface Window {
    /** What the player is doing, for tests and support. */
    readonly __player?: PlayerStats;
  }
}

const STATUS_MS = 5000;
const WAITING_MS = 1000;

/** One broadcast as a viewer sees it: asks for its status, waits for its media, plays it, comes back after faults. */
export class Broadcast {
  state: BroadcastState = { phase: "loading", stream: null, levels: [], reachable: true };
  player: Player | null = null;
  private video: HTMLVideoElement | null = null;
  private onChange: (state: BroadcastState) => void = () => undefined;
  private stopped = false;
  private attempt = 0;
  private lastStats = IDLE;
  private wanted: string | null = null;
  private readonly qoe: QoeReporter;

  /** @param startAt where to begin, as playlists take it; null for live. */
  constructor(
    private readonly streamId: string,
    private startAt: string | null = null,
  ) {
    this.qoe = new QoeReporter(streamId, () => this.stats(), () => this.isPlaying());
  }

  /** @returns a function that stops everything. */
  start(onChange: (state: BroadcastState) => void): () => void {
    this.onChange = onChange;
    this.stopped = false;
    Object.defineProperty(window, "__player", { get: () => this.stats(), configurable: true });
    void this.follow();
    const stopReports = this.qoe.start();
    return () => {
      stopReports();
      this.stopped = true;
      this.closePlayer();
    };
  }

  attach(video: HTMLVideoElement): void {
    this.video = video;
  }

  /** The rung that the viewer chose by name, null for automatic; kept over a reconnect. */
  get chosenLevel(): string | null {
    return this.wanted;
  }

  chooseLevel(name: string | null): void {
    this.wanted = name;
    this.player?.chooseLevel(name);
    this.change({});
  }

  stats(): PlayerStats {
    if (this.player) this.lastStats = this.player.stats();
    return { phase: this.state.phase, ...this.lastStats };
  }

  /** Ask for the status for as long as the page is open; open the player as soon as there is media. */
  private async follow(): Promise<void> {
    while (!this.stopped) {
      const [, playable] = await Promise.all([this.refresh(), this.player ? false : this.hasMedia()]);
      if (this.stopped) return;
      if (this.player?.isStalled && this.state.stream?.status === "ended") this.end();
      if (playable && !this.hasEndedMeanwhile()) this.openPlayer();
      else if (!this.player) this.explainAbsence();
      await this.pause();
    }
  }

  private pause(): Promise<void> {
    const settled = this.player !== null ? !this.player.isStalled : this.isOver();
    const waitMs = settled ? STATUS_MS : this.state.phase === "reconnecting" ? backoffMs(this.attempt++) : WAITING_MS;
    return new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  private async refresh(): Promise<void> {
    try {
      this.change({ stream: await getStream(this.streamId), reachable: true });
    } catch (error) {
      const gone = error instanceof ApiError && error.status === 404;
      if (gone && !this.player) this.change({ phase: "missing" });
      this.change({ reachable: error instanceof ApiError });
    }
  }

  /** The multivariant playlist is not found before the first segment; asked for only while that can change. */
  private async hasMedia(): Promise<boolean> {
    if (this.isOver()) return false;
    try {
      return (await fetch(this.playlistUrl())).ok;
    } catch {
      return false;
    }
  }

  private explainAbsence(): void {
    const status = this.state.stream?.status;
    if (status === "ended" || status === "cancelled") this.change({ phase: status });
    else if (this.state.phase === "loading" && status) this.change({ phase: "waiting" });
  }

  /** Whoever has seen the broadcast up to its end does not want it again from its beginning. */
  private hasEndedMeanwhile(): boolean {
    return this.state.phase === "reconnecting" && this.state.stream?.status === "ended";
  }

  private openPlayer(): void {
    if (!this.video) return;
    if (!Player.supported(this.video)) {
      this.change({ phase: "unsupported" });
      return;
    }
    this.player = new Player(this.video, this.playlistUrl(), {
      onLevels: (levels) => {
        this.change({ levels });
        if (this.wanted !== null && levels.includes(this.wanted)) this.player?.chooseLevel(this.wanted);
      },
      onFailed: () => this.reconnect(),
      onEnded: () => this.end(),
    }, this.startAt);
    this.qoe.watch(this.video);
    this.startAt = null; // whoever reconnects goes on with what is live
    this.video.addEventListener("playing", () => (this.attempt = 0), { once: true });
    this.change({ phase: "playing" });
  }

  private reconnect(): void {
    this.closePlayer();
    this.change({ phase: "reconnecting" });
  }

  private end(): void {
    this.closePlayer();
    this.change({ phase: "ended" });
  }

  private closePlayer(): void {
    this.stats();
    this.player?.destroy();
    this.player = null;
  }

  private isOver(): boolean {
    return ["ended", "cancelled", "missing", "unsupported"].includes(this.state.phase);
  }

  private isPlaying(): boolean {
    return this.player !== null && this.video?.paused === false;
  }

  private playlistUrl(): string {
    return `/hls/${encodeURIComponent(this.streamId)}/master.m3u8`;
  }

  thumbnailUrl(msn: number): string {
    return `/hls/${encodeURIComponent(this.streamId)}/thumbnails/${msn}.jpg`;
  }

  private change(part: Partial<BroadcastState>): void {
    this.state = { ...this.state, ...part };
    if (!this.stopped) this.onChange(this.state);
  }
}
