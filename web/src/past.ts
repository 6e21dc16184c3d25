/** What there is to rewind to while WebRTC plays, which has no past: read from the HLS playlist now and then. */
import { MIN_LENGTH_S, type Place, type Rewind } from "./rewind";

/** Between two looks at the playlist; a longer past costs more to read, and grows no faster. */
const EVERY_MS = 60_000;
/** Whoever points at something newer makes it be read again, so often at most. */
const AGAIN_MS = 5000;
const FIRST_MS = 1500;

interface Segment {
  msn: number;
  /** Seconds since 1970. */
  start: number;
}

export interface Recorded {
  segments: Segment[];
  /** Where the newest part ends, seconds since 1970. */
  end: number;
}

/** Read a media playlist; null when it has no dates. */
export function readPlaylist(text: string): Recorded | null {
  const segments: Segment[] = [];
  let msn = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(text)?.[1] ?? 0);
  let time: number | null = null;
  let duration = 0;
  let parts = 0;
  for (const line of text.split("\n")) {
    const [tag = "", value = ""] = line.split(/:(.*)/s);
    if (tag === "#EXT-X-PROGRAM-DATE-TIME") time = Date.parse(value) / 1000;
    else if (tag === "#EXTINF") duration = parseFloat(value);
    else if (tag === "#EXT-X-PART") parts += Number(/DURATION=([\d.]+)/.exec(value)?.[1] ?? 0);
    else if (line.trim() !== "" && !line.startsWith("#")) {
      if (time === null) return null;
      segments.push({ msn: msn++, start: time });
      time += duration;
      parts = 0;
    }
  }
  return time === null || !segments.length ? null : { segments, end: time + parts };
}

/** Find the first quality of a multivariant playlist. */
export function firstVariant(text: string): string | null {
  return /^#EXT-X-STREAM-INF:.*\n(?:#.*\n)*([^#\s].*)$/m.exec(text)?.[1]?.trim() ?? null;
}

/** The past of a live broadcast, in seconds since 1970 by the server's clock. */
export class Past {
  private recorded: Recorded | null = null;
  /** When it was read, on the page's clock. */
  private readAt = -Infinity;
  private variantUrl: string | null = null;
  private timer = 0;

  /** @param url of the multivariant playlist. */
  constructor(private readonly url: string) {}

  start(): void {
    if (!this.timer) this.timer = window.setTimeout(() => this.readAgain(), FIRST_MS);
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = 0;
  }

  /** The moment that is live; null while it is not known. */
  now(): number | null {
    return this.recorded && this.recorded.end + (performance.now() - this.readAt) / 1000;
  }

  /** @param pausedAt where the picture was stopped, null when it was not. */
  rewind(pausedAt: number | null): Rewind | null {
    const start = this.recorded?.segments[0]?.start;
    const end = this.now();
    if (start === undefined || end === null || end - start < MIN_LENGTH_S) return null;
    const position = pausedAt ?? end;
    return { start, end, position, buffered: position, live: true };
  }

  placeAt(time: number): Place | null {
    const { recorded } = this;
    if (!recorded) return null;
    if (time > recorded.end) {
      if (performance.now() - this.readAt > AGAIN_MS) void this.read();
      return null;
    }
    const segment = recorded.segments.filter((one) => one.start <= time).at(-1);
    return segment ? { msn: segment.msn, dateMs: time * 1000 } : null;
  }

  private readAgain(): void {
    void this.read();
    this.timer = window.setTimeout(() => this.readAgain(), EVERY_MS);
  }

  private async read(): Promise<void> {
    const since = this.readAt;
    this.readAt = performance.now(); // one at a time
    try {
      this.variantUrl ??= await this.findVariant();
      const answer = await fetch(this.variantUrl);
      const recorded = answer.ok ? readPlaylist(await answer.text()) : null;
      if (recorded) {
        this.recorded = recorded;
        this.readAt = performance.now();
        return;
      }
    } catch {
      // There is no bar, then, or an older one.
    }
    this.readAt = since;
  }

  private async findVariant(): Promise<string> {
    const answer = await fetch(this.url);
    const variant = answer.ok ? firstVariant(await answer.text()) : null;
    if (variant === null) throw new Error("the playlist names no quality");
    return new URL(variant, answer.url).href;
  }
}
