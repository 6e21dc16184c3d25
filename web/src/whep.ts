/** A client of WHEP (draft-ietf-wish-whep-03) with its extensions for layers and events. */
import { iceServersOf, linkTo, parseLinks } from "./link-header";
import { preferStereo, restartedAnswer, restartFragment } from "./whep-sdp";

const SDP = "application/sdp";
const FRAGMENT = "application/trickle-ice-sdpfrag";
const EXTENSION = "urn:ietf:params:whep:ext:core";
/** When to ask again where the server does not say. */
const RETRY_S = 2;

/** A quality that the server can send. */
export interface Layer {
  encodingId: string;
  width: number;
  height: number;
  /** Bits per second; 0 while it is not made. */
  bitrate: number;
}

export interface Layers {
  /** What is sent; null before the first picture. */
  active: string | null;
  chosen: string | null;
  layers: Layer[];
}

/** An answer of the server that is no session. */
export class WhepError extends Error {
  constructor(
    readonly status: number,
    /** When to ask again. */
    readonly retryAfterS: number,
  ) {
    super(`WHEP answered ${status}`);
  }

  /** Whether there is nothing to watch yet. */
  get isNotYet(): boolean {
    return this.status === 409;
  }
}

/** One session: the server sends for as long as it lasts. */
export class WhepSession {
  private constructor(
    private readonly connection: RTCPeerConnection,
    private readonly url: string,
    private etag: string,
    private answer: string,
    private readonly layerUrl: string | null,
    /** Where events are read; null where there are none. */
    readonly eventsUrl: string | null,
  ) {}

  /**
   * Offer what the connection has transceivers for. No candidates are waited for: the server has all of its own in the
   * answer, and learns ours by being asked.
   *
   * @throws WhepError the server has no session for us.
   * @throws TypeError the server was not reached.
   */
  static async open(connection: RTCPeerConnection, url: string, signal: AbortSignal): Promise<WhepSession> {
    const { sdp = "" } = await connection.createOffer();
    const offer = preferStereo(sdp);
    const response = await fetch(url, { method: "POST", headers: { "Content-Type": SDP }, body: offer, signal });
    const text = await response.text();
    const location = response.headers.get("Location");
    if (location === null || (response.status !== 201 && response.status !== 406)) throw refusal(response);
    const links = parseLinks(response.headers.get("Link"));
    const session = new WhepSession(
      connection,
      new URL(location, response.url || url).href,
      response.headers.get("ETag") ?? "*",
      text,
      linkTo(links, `${EXTENSION}:layer`, response.url || url),
      linkTo(links, `${EXTENSION}:server-sent-events`, response.url || url),
    );
    try {
      const iceServers = iceServersOf(links);
      // Before the local description, so that gathering knows of them.
      if (iceServers.length) connection.setConfiguration({ ...connection.getConfiguration(), iceServers });
      if (response.status === 406) await session.accept(text, signal);
      else {
        await connection.setLocalDescription({ type: "offer", sdp: offer });
        await connection.setRemoteDescription({ type: "answer", sdp: text });
      }
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  /** Look for another way to the server: the network has changed, or nothing comes any more. */
  async restartIce(signal: AbortSignal): Promise<void> {
    const { connection } = this;
    const { sdp = "" } = await connection.createOffer({ iceRestart: true });
    const offer = preferStereo(sdp);
    const response = await fetch(this.url, {
      method: "PATCH",
      headers: { "Content-Type": FRAGMENT, "If-Match": this.etag },
      body: restartFragment(offer),
      signal,
    });
    if (response.status !== 200) throw refusal(response);
    this.etag = response.headers.get("ETag") ?? "*";
    this.answer = restartedAnswer(this.answer, await response.text());
    await connection.setLocalDescription({ type: "offer", sdp: offer });
    await connection.setRemoteDescription({ type: "answer", sdp: this.answer });
  }

  /** Fix what is sent; null leaves it to the server. */
  async chooseLayer(encodingId: string | null): Promise<void> {
    if (this.layerUrl === null) return;
    const response = await fetch(this.layerUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ encodingId }),
    });
    if (!response.ok) throw refusal(response);
  }

  /**
   * End the session, also from a page that is being left. The connection is closed after that: it says goodbye, too, and
   * the session that is to be deleted would be gone.
   */
  close(): void {
    void fetch(this.url, { method: "DELETE", keepalive: true })
      .catch(() => undefined)
      .finally(() => this.connection.close());
  }

  /** Take the server's offer, which it makes where it cannot serve ours. */
  private async accept(offer: string, signal: AbortSignal): Promise<void> {
    const { connection } = this;
    await connection.setRemoteDescription({ type: "offer", sdp: offer });
    const { sdp = "" } = await connection.createAnswer();
    const answer = preferStereo(sdp);
    await connection.setLocalDescription({ type: "answer", sdp: answer });
    const response = await fetch(this.url, { method: "PATCH", headers: { "Content-Type": SDP }, body: answer, signal });
    if (!response.ok) throw refusal(response);
  }
}

/** Read the data of a `layers` event: the layers by the index of their m-line, and beside them what is sent. */
export function parseLayers(data: string): Layers {
  const { active = null, chosen = null, ...byMedia } = JSON.parse(data) as Record<string, unknown>;
  return {
    active: active as string | null,
    chosen: chosen as string | null,
    layers: Object.values(byMedia).find(Array.isArray) ?? [],
  };
}

function refusal(response: Response): WhepError {
  const seconds = Number(response.headers.get("Retry-After"));
  return new WhepError(response.status, seconds > 0 ? seconds : RETRY_S);
}
