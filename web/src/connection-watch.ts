/** What to do when a WebRTC connection does not come about, or breaks. Pure: time is an argument. */

/** Look for another way with the same session; open a new session; leave WebRTC. */
export type Step = "restart" | "renew" | "give up";

/** So long after an offer there has to be a picture. */
export const PICTURE_MS = 3000;
/** So long a connection may be without an answer from the other side: most come back by themselves. */
export const DISCONNECTED_MS = 2000;
/** So long a restart may take. */
export const RESTART_MS = 3000;

type Phase = "idle" | "starting" | "playing" | "shaky" | "restarting" | "over";

export class ConnectionWatch {
  private phase: Phase = "idle";
  private until = Infinity;
  private isConnected = false;
  private played = false;

  /** Whether there has been a picture. */
  get hasPlayed(): boolean {
    return this.played;
  }

  /** Whether the connection is there and has brought a picture. */
  get isPlaying(): boolean {
    return this.phase === "playing";
  }

  /** An offer goes out. */
  onOffer(now: number): void {
    this.enter("starting", now + PICTURE_MS);
    this.isConnected = false;
  }

  /** There is nothing to watch at the moment; the next offer goes out later. */
  onNotYet(): void {
    this.enter("idle", Infinity);
  }

  onPicture(): void {
    if (this.phase === "starting") this.enter("playing", Infinity);
    this.played = true;
  }

  onState(state: RTCPeerConnectionState, now: number): void {
    this.isConnected = state === "connected";
    if (this.isConnected && (this.phase === "shaky" || this.phase === "restarting")) this.enter("playing", Infinity);
    if (state === "disconnected" && this.phase === "playing") this.enter("shaky", now + DISCONNECTED_MS);
    if (state === "failed" && this.phase !== "idle") {
      if (this.phase === "playing") this.phase = "shaky";
      this.until = now;
    }
  }

  /** The network is another one: the old way may be gone, and nobody says so. */
  onNetworkChange(now: number): void {
    if (this.phase === "playing" || this.phase === "shaky") this.enter("shaky", now);
  }

  /** The server has ended the session. */
  onGone(now: number): void {
    if (this.phase === "starting") this.until = now;
    else if (this.phase !== "idle" && this.phase !== "over") this.enter("restarting", now);
  }

  /**
   * Say what is to be done now; each step is said once.
   *
   * @param isOnAir whether the broadcaster sends: nobody else is to blame for a picture that does not come.
   */
  take(now: number, isOnAir: boolean): Step | null {
    if (now < this.until) return null;
    if (this.phase === "shaky") {
      this.enter("restarting", now + RESTART_MS);
      return "restart";
    }
    if (this.phase === "restarting") {
      this.enter("idle", Infinity);
      return "renew";
    }
    if (this.phase === "starting" && this.isConnected && !isOnAir) {
      this.until = now + PICTURE_MS;
      return null;
    }
    this.enter("over", Infinity);
    return "give up";
  }

  private enter(phase: Phase, until: number): void {
    this.phase = phase;
    this.until = until;
  }
}
