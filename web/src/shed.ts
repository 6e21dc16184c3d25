import type { LevelDetails } from "hls.js";

const RECHECK_MS = 5000;
const MAX_WAIT_MS = 120_000;

type Newest = Pick<LevelDetails, "partList"> & { fragments: readonly { gap?: boolean }[] };

/** Whether a playlist ends in gaps: the server does not make this rung for the time being. */
export function endsInGap({ partList, fragments }: Newest): boolean {
  const newest = partList?.at(-1) ?? fragments.at(-1);
  return newest?.gap === true;
}

/** The same of a playlist's text. */
export function textEndsInGap(text: string): boolean {
  let isGap = false;
  let hasTag = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("#EXT-X-PART:")) isGap = /[,:]GAP=YES/.test(line);
    else if (line === "#EXT-X-GAP") hasTag = true;
    else if (line !== "" && !line.startsWith("#")) {
      isGap = hasTag;
      hasTag = false;
    }
  }
  return isGap;
}

/** What stands in for a rung that is not made: the next smaller one, else the next larger one; -1 for none. */
export function standIn(level: number, count: number, shed: ReadonlySet<number>): number {
  for (let at = level - 1; at >= 0; at--) if (!shed.has(at)) return at;
  for (let at = level + 1; at < count; at++) if (!shed.has(at)) return at;
  return -1;
}

/**
 * The rungs that the server does not make now, by their playlists.
 *
 * hls.js alone finds a gap only when the segment is complete, by which time a low-latency player has run dry, leaves a
 * rung that was chosen by hand for good, and never tries it again by itself.
 */
export class ShedLevels {
  private readonly levels = new Set<number>();
  private readonly waits = new Map<number, { times: number; until: number }>();
  private timer = 0;

  /**
   * @param url of a rung's playlist.
   * @param onChange called when a rung is not made any more, and when it is again.
   */
  constructor(
    private readonly url: (level: number) => string,
    private readonly onChange: () => void,
  ) {}

  get all(): ReadonlySet<number> {
    return this.levels;
  }

  /** Take note of a playlist that was loaded. */
  note(level: number, details: Newest): void {
    if (endsInGap(details)) this.add(level);
  }

  /** Take note that a rung is not made now; each time that it happens it is left alone for longer. */
  add(level: number): void {
    if (this.levels.has(level)) return;
    const times = (this.waits.get(level)?.times ?? 0) + 1;
    const waitMs = Math.min(MAX_WAIT_MS, RECHECK_MS * 2 ** (times - 1));
    this.waits.set(level, { times, until: Date.now() + waitMs });
    this.levels.add(level);
    if (!this.timer) this.timer = window.setInterval(() => void this.recheck(), RECHECK_MS);
    this.onChange();
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = 0;
  }

  /** Look whether a rung is made again: a playlist alone is no demand. */
  private async recheck(): Promise<void> {
    for (const level of [...this.levels]) {
      if (Date.now() < (this.waits.get(level)?.until ?? 0)) continue;
      try {
        const answer = await fetch(this.url(level));
        if (!answer.ok || textEndsInGap(await answer.text()) || !this.timer) continue;
      } catch {
        continue; // the server is away: hls.js says so
      }
      this.levels.delete(level);
      this.onChange();
    }
    if (!this.levels.size) this.close();
  }
}
