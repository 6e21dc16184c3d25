import { ConnectionWatch, type Step } from "./connection-watch";
import type { Past } from "./past";
import type { Player, PlayerEvents } from "./player";
import { LIVE_TOLERANCE_S, type Place, type Rewind } from "./rewind";
import { IDLE, type PlayerStats } from "./stats";
import { type Counted, countedIn, type ConnectionStats, connectionStats, latencyOf } from "./webrtc-stats";
import { type Layers, parseLayers, WhepError, WhepSession } from "./whep";

const TICK_MS = 250;
/** Between two looks at what the browser has counted. */
const COUNT_MS = 500;
/** Without a new picture for so long, playback has run dry. */
const STALLED_MS = 1000;
/** Events that have stopped are read again so much later. */
const EVENTS_AGAIN_MS = 2000;
const MAX_ERRORS_KEPT = 50;

export interface WebRtcEvents extends PlayerEvents {
  /** WebRTC does not work here now. */
  onUnavailable(reason: string): void;
  /** The viewer wants to see the past, from this time on (RFC 3339). */
  onRewind(start: string): void;
}

/** What the player has to know of the broadcast. */
export interface Surroundings {
  /** Where WHEP is. */
  url: string;
  /** What can be rewound to; null where the viewer may not leave live. */
  past: Past | null;
  /** Whether the broadcaster sends. */
  isOnAir(): boolean;
  /** Look whether the broadcast has ended. */
  hasEnded(): Promise<boolean>;
}

/** Plays a broadcast by WebRTC, a fraction of a second behind the broadcaster. */
export class WebRtcPlayer implements Player {
  static supported(): boolean {
    return typeof RTCPeerConnection === "function";
  }

  private connection: RTCPeerConnection | null = null;
  private session: WhepSession | null = null;
  private source: EventSource | null = null;
  private opening = new AbortController();
  private readonly listeners = new AbortController();
  private readonly watch = new ConnectionWatch();
  private readonly timer: number;
  private readonly errors: string[] = [];
  private retry = 0;
  private layers: Layers = { active: null, chosen: null, layers: [] };
  private chosen: string | null = null;
  private counted: Counted[] = [];
  private countedAt = -Infinity;
  private pictureAt = 0;
  /** What connections before this one have counted. */
  private earlier = { freezes: 0, frozenSeconds: 0 };
  /** Where the viewer has stopped, in seconds since 1970; null when nobody has, or there is no past. */
  private pausedAt: number | null = null;
  private isOffAir = false;
  /** Whether the server seems to have ended the session. */
  private isSessionOver = false;
  private isDestroyed = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly around: Surroundings,
    private readonly events: WebRtcEvents,
  ) {
    this.listen();
    this.timer = window.setInterval(() => this.tick(), TICK_MS);
    void this.open();
  }

  get isStalled(): boolean {
    if (this.video.paused) return false;
    return this.isOffAir || !this.watch.isPlaying || performance.now() - this.pictureAt > STALLED_MS;
  }

  chooseLevel(name: string | null): void {
    this.chosen = name;
    void this.session?.chooseLayer(name).catch((error: unknown) => this.note(error));
  }

  rewind(): Rewind | null {
    return this.around.past?.rewind(this.pausedAt) ?? null;
  }

  placeAt(time: number): Place | null {
    return this.around.past?.placeAt(time) ?? null;
  }

  seek(time: number): void {
    const now = this.around.past?.now() ?? null;
    if (now === null || now - time < LIVE_TOLERANCE_S) this.goLive();
    else this.events.onRewind(new Date(time * 1000).toISOString());
  }

  pause(): void {
    this.pausedAt = this.rewind() && (this.around.past?.now() ?? null);
    this.video.pause();
  }

  /** Go on where the viewer has stopped, which takes a past; live without one, or when that was just now. */
  play(): void {
    if (this.pausedAt === null) this.goLive();
    else this.seek(this.pausedAt);
  }

  goLive(): void {
    this.pausedAt = null;
    void this.video.play().catch(() => undefined); // refused autoplay leaves the play button
  }

  stats(): Omit<PlayerStats, "phase"> {
    const connection = this.connectionStats();
    const newest = this.counted.at(-1);
    return {
      ...IDLE,
      transport: "webrtc",
      connection,
      isStalled: this.isStalled,
      latency: connection && latencyOf(connection),
      level: this.layers.active,
      levels: this.levels,
      auto: this.chosen === null,
      currentTime: this.video.currentTime,
      buffer: connection?.jitterBuffer ?? 0,
      droppedFrames: newest?.framesDropped ?? 0,
      totalFrames: newest ? newest.framesDecoded + newest.framesDropped : 0,
      playbackRate: this.video.playbackRate,
      bandwidth: connection?.bitrate || null,
      rewind: this.rewind(),
      stalls: this.earlier.freezes + (connection?.freezes ?? 0),
      stalledSeconds: this.earlier.frozenSeconds + (connection?.frozenSeconds ?? 0),
      errors: this.errors,
    };
  }

  destroy(): void {
    this.isDestroyed = true;
    clearInterval(this.timer);
    this.listeners.abort();
    this.around.past?.close();
    this.close();
    this.video.srcObject = null;
  }

  private get levels(): string[] {
    return this.layers.layers.map((layer) => layer.encodingId);
  }

  private listen(): void {
    const { signal } = this.listeners;
    this.video.addEventListener("loadeddata", () => this.onPicture(), { signal });
    addEventListener("pagehide", () => this.close(), { signal });
    addEventListener("online", () => this.watch.onNetworkChange(performance.now()), { signal });
  }

  /** Begin a session. */
  private async open(): Promise<void> {
    this.close();
    const opening = (this.opening = new AbortController());
    const connection = (this.connection = this.connect());
    this.watch.onOffer(performance.now());
    try {
      const session = await WhepSession.open(connection, this.around.url, opening.signal);
      if (opening.signal.aborted) return session.close();
      this.session = session;
    } catch (error) {
      if (!opening.signal.aborted) this.onRefused(error);
      return;
    }
    this.readEvents();
    if (this.chosen !== null) this.chooseLevel(this.chosen);
  }

  private connect(): RTCPeerConnection {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const media = new MediaStream();
    for (const kind of ["video", "audio"]) {
      const { receiver } = connection.addTransceiver(kind, { direction: "recvonly" });
      // As little delay as the network allows; the second name is the older one.
      Object.assign(receiver, "jitterBufferTarget" in receiver ? { jitterBufferTarget: 0 } : { playoutDelayHint: 0 });
    }
    connection.ontrack = ({ track, receiver }) => {
      media.addTrack(track);
      const { transport } = receiver;
      // The server says goodbye: browsers do not count that as a change of the connection.
      if (transport) transport.onstatechange = () => transport.state === "closed" && this.onGone(connection);
      if (this.video.srcObject === media) return;
      this.video.srcObject = media;
      if (this.pausedAt === null) this.goLive();
    };
    connection.onconnectionstatechange = () => {
      if (connection === this.connection) this.watch.onState(connection.connectionState, performance.now());
    };
    return connection;
  }

  /** Leave the session, if there is one. */
  private close(): void {
    clearTimeout(this.retry);
    this.opening.abort();
    this.source?.close();
    if (this.session && !this.isSessionOver) this.session.close();
    else this.connection?.close();
    const { freezes = 0, frozenSeconds = 0 } = this.counted.at(-1) ?? {};
    this.earlier = { freezes: this.earlier.freezes + freezes, frozenSeconds: this.earlier.frozenSeconds + frozenSeconds };
    this.counted = [];
    this.connection = this.session = this.source = null;
    this.isOffAir = this.isSessionOver = false;
  }

  private onPicture(): void {
    this.pictureAt = performance.now();
    this.watch.onPicture();
    this.around.past?.start();
  }

  private onGone(connection: RTCPeerConnection): void {
    if (connection !== this.connection) return;
    this.isSessionOver = true;
    this.watch.onGone(performance.now());
  }

  private onRefused(error: unknown): void {
    this.note(error);
    if (error instanceof WhepError && error.isNotYet) {
      this.watch.onNotYet();
      this.retry = window.setTimeout(() => void this.open(), error.retryAfterS * 1000);
    } else if (this.watch.hasPlayed && !(error instanceof WhepError)) {
      this.events.onFailed(String(error)); // the server is away, and by HLS, too
    } else {
      this.events.onUnavailable(String(error));
    }
  }

  private readEvents(): void {
    const { session } = this;
    if (!session?.eventsUrl || this.isDestroyed) return;
    this.source?.close();
    const source = (this.source = new EventSource(session.eventsUrl));
    source.addEventListener("layers", (event) => this.onLayers(parseLayers((event as MessageEvent<string>).data)));
    source.onopen = () => (this.isSessionOver = false);
    source.addEventListener("active", () => (this.isOffAir = false));
    source.addEventListener("inactive", () => (this.isOffAir = true));
    source.onerror = () => {
      source.close();
      this.isSessionOver = true;
      // What has ended with the session is not asked for again.
      setTimeout(() => this.session === session && this.watch.isPlaying && this.readEvents(), EVENTS_AGAIN_MS);
    };
  }

  private onLayers(layers: Layers): void {
    const before = this.levels.join();
    this.layers = layers;
    if (this.levels.join() !== before) this.events.onLevels(this.levels);
  }

  private tick(): void {
    const now = performance.now();
    if (now - this.countedAt >= COUNT_MS) void this.count(now);
    const step = this.watch.take(now, this.around.isOnAir());
    if (step !== null) void this.follow(step);
  }

  private async follow(step: Step): Promise<void> {
    const { session } = this;
    if (step === "give up") {
      this.events.onUnavailable("no picture came");
    } else if (step === "restart") {
      await session?.restartIce(this.opening.signal).catch((error: unknown) => {
        this.note(error);
        if (this.session === session) this.watch.onGone(performance.now());
      });
    } else {
      const hasEnded = await this.around.hasEnded();
      if (this.isDestroyed) return;
      if (hasEnded) this.events.onEnded();
      else await this.open();
    }
  }

  private async count(now: number): Promise<void> {
    const { connection } = this;
    if (!connection) return;
    this.countedAt = now;
    const report = await connection.getStats().catch(() => null);
    if (!report || connection !== this.connection) return;
    const found = countedIn(report.values() as Iterable<Readonly<Record<string, unknown>>>, performance.now());
    if (found.framesDecoded > (this.counted.at(-1)?.framesDecoded ?? 0)) this.pictureAt = found.at;
    this.counted = [...this.counted.slice(-3), found];
  }

  private connectionStats(): ConnectionStats | null {
    const newest = this.counted.at(-1);
    return newest ? connectionStats(newest, this.counted.length > 1 ? this.counted[0]! : null) : null;
  }

  private note(error: unknown): void {
    if (this.errors.length < MAX_ERRORS_KEPT) this.errors.push(`webrtc: ${error instanceof Error ? error.message : String(error)}`);
  }
}
