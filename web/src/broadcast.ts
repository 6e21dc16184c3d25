import { ApiError, getStream, type Stream } from "./api";
import { Past } from "./past";
import type { Player } from "./player";
import { QoeReporter } from "./qoe";
import { backoffMs, IDLE, type PlayerStats } from "./stats";
import { forcedTransport, TransportChoice, whepUrl } from "./transport";
import { WebRtcPlayer } from "./webrtc-player";

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
  /** Whether HLS stands in for WebRTC, which was tried and does not work here. */
  isDelayed: boolean;
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
  state: BroadcastState = { phase: "loading", stream: null, levels: [], reachable: true, isDelayed: false };
  player: Player | null = null;
  private video: HTMLVideoElement | null = null;
  private onChange: (state: BroadcastState) => void = () => undefined;
  private stopped = false;
  private attempt = 0;
  private lastStats = IDLE;
  private wanted: string | null = null;
  private readonly transports = new TransportChoice(forcedTransport(location.search), WebRtcPlayer.supported());
  /** Counts players: what is still being loaded for one before the newest comes too late. */
  private turn = 0;
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

  /** See what happens now, as soon as it can be had. */
  goLive(): void {
    const isBetter = this.player?.stats().transport === "hls" && this.whepUrl(null) !== null;
    if (isBetter) void this.switchTo(null);
    else this.player?.goLive();
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
      if (playable && !this.player && !this.hasEndedMeanwhile()) await this.openPlayer();
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

  private async openPlayer(): Promise<void> {
    const { video, startAt } = this;
    if (!video) return;
    const turn = ++this.turn;
    const url = this.whepUrl(startAt);
    const make = url === null ? await this.hls(video, startAt) : this.webRtc(video, url);
    if (turn !== this.turn || this.stopped) return;
    if (make === null) {
      this.change({ phase: "unsupported" });
      return;
    }
    this.startAt = null; // whoever reconnects goes on with what is live
    this.player = make();
    this.qoe.watch(video);
    video.addEventListener("playing", () => (this.attempt = 0), { once: true });
    this.change({ phase: "playing", isDelayed: this.state.isDelayed && url === null });
  }

  /** Say where WHEP is, when that is how to watch now. */
  private whepUrl(startAt: string | null): string | null {
    const { stream } = this.state;
    if (!stream?.webrtc_url) return null;
    const transport = this.transports.choose(stream.status === "live", startAt !== null, performance.now());
    return transport === "webrtc" ? whepUrl(stream.webrtc_url, location) : null;
  }

  private webRtc(video: HTMLVideoElement, url: string): () => Player {
    const around = {
      url,
      past: this.transports.hasAlternative ? new Past(this.playlistUrl()) : null,
      isOnAir: () => this.state.stream?.media?.connected !== false,
      hasEnded: async () => {
        await this.refresh();
        return this.state.stream?.status === "ended";
      },
    };
    return () =>
      new WebRtcPlayer(video, around, {
        ...this.playerEvents(),
        onUnavailable: () => this.leaveWebRtc(),
        onRewind: (start) => void this.switchTo(start),
      });
  }

  /** The code for HLS is large, and loaded when it is needed. */
  private async hls(video: HTMLVideoElement, startAt: string | null): Promise<(() => Player) | null> {
    const { HlsPlayer } = await import("./hls-player");
    if (!HlsPlayer.supported(video)) return null;
    return () => new HlsPlayer(video, this.playlistUrl(), this.playerEvents(), startAt);
  }

  private playerEvents() {
    return {
      onLevels: (levels: string[]) => {
        this.change({ levels });
        if (this.wanted !== null && levels.includes(this.wanted)) this.player?.chooseLevel(this.wanted);
      },
      onFailed: () => this.reconnect(),
      onEnded: () => this.end(),
    };
  }

  private leaveWebRtc(): void {
    this.transports.onUnavailable(performance.now());
    if (!this.transports.hasAlternative) {
      this.reconnect();
      return;
    }
    this.qoe.onDetour();
    this.change({ isDelayed: true });
    void this.switchTo(null);
  }

  /** Go on with another player. */
  private async switchTo(startAt: string | null): Promise<void> {
    this.closePlayer();
    this.startAt = startAt;
    await this.openPlayer();
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
    this.turn += 1;
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
