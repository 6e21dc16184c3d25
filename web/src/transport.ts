/** Which way a broadcast is watched. Pure. */

/** WebRTC is a fraction of a second behind the broadcaster and has no past; HLS is seconds behind and has one. */
export type Transport = "webrtc" | "hls";

/** After WebRTC has failed, HLS it is for so long, whatever happens. */
export const AVOID_MS = 60_000;

export class TransportChoice {
  private avoidUntil = -Infinity;

  /**
   * @param forced by the page's address.
   * @param isSupported whether this browser can do WebRTC.
   */
  constructor(
    private readonly forced: Transport | null,
    private readonly isSupported: boolean,
  ) {}

  /** Whether a picture may come by HLS where it cannot by WebRTC, or where somebody wants to see the past. */
  get hasAlternative(): boolean {
    return this.forced !== "webrtc";
  }

  /**
   * @param isLive whether the broadcast is on the air: what has ended is played by HLS.
   * @param wantsPast whether the viewer wants to see what has been.
   */
  choose(isLive: boolean, wantsPast: boolean, now: number): Transport {
    if (!isLive || !this.isSupported || this.forced === "hls") return "hls";
    if (this.forced === "webrtc") return "webrtc";
    return wantsPast || now < this.avoidUntil ? "hls" : "webrtc";
  }

  /** WebRTC does not work here now. */
  onUnavailable(now: number): void {
    this.avoidUntil = now + AVOID_MS;
  }
}

/** The page's `?transport=`. */
export function forcedTransport(search: string): Transport | null {
  const value = new URLSearchParams(search).get("transport");
  return value === "webrtc" || value === "hls" ? value : null;
}

/** Where WHEP is: the API names the address, and behind a proxy that it was not told of, the wrong scheme. */
export function whepUrl(named: string, page: { host: string; origin: string }): string {
  const url = new URL(named, page.origin);
  return url.host === page.host ? `${page.origin}${url.pathname}${url.search}` : url.href;
}
