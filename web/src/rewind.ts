import type { Fragment, LevelDetails } from "hls.js";

/** What a viewer can go back to, in seconds on the media element's clock. */
export interface Rewind {
  start: number;
  /** Where live is watched from, or where an ended broadcast ends. */
  end: number;
  position: number;
  /** Up to where media is buffered from the position on. */
  buffered: number;
  live: boolean;
}

/** A place in the past. */
export interface Place {
  /** Media sequence number of its segment. */
  msn: number;
  /** Milliseconds since 1970; null when the playlist does not say. */
  dateMs: number | null;
}

/** Less than this is no past worth a bar. */
export const MIN_LENGTH_S = 8;
/** Closer to live than this is live. */
export const LIVE_TOLERANCE_S = 2;
/** The end of a recording is reached by playing this much of it: at the very end one track has nothing any more. */
const LAST_S = 0.5;

export function rewindOf(details: LevelDetails, livePosition: number | null, position: number, ahead: number): Rewind | null {
  const start = details.fragments[0]?.start ?? 0;
  const end = details.live ? (livePosition ?? details.edge) : details.edge;
  if (end - start < MIN_LENGTH_S) return null;
  return { start, end, position: clamp(position, start, end), buffered: clamp(position + ahead, start, end), live: details.live };
}

/** Find the segment that a time lies in, and its date. */
export function placeAt(details: LevelDetails, time: number): Place | null {
  const fragment = fragmentAt(details.fragments, time);
  if (!fragment || typeof fragment.sn !== "number") return null;
  const dateMs = fragment.programDateTime === null ? null : fragment.programDateTime + (time - fragment.start) * 1000;
  return { msn: fragment.sn, dateMs };
}

function fragmentAt(fragments: readonly Fragment[], time: number): Fragment | undefined {
  let low = 0;
  let high = fragments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fragments[middle]!.start <= time) low = middle;
    else high = middle - 1;
  }
  return fragments[low];
}

/** Where to go for a time that the viewer asks for. */
export function reachable(rewind: Rewind, time: number): number {
  return rewind.live ? time : Math.min(time, rewind.end - LAST_S);
}

export function isAtLive(rewind: Rewind): boolean {
  return rewind.live && rewind.end - rewind.position < LIVE_TOLERANCE_S;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** 65 → "1:05", 3665 → "1:01:05". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** The page's `?start=`, as the server's playlists take it: where to begin, null for live. */
export function startOf(search: string): string | null {
  const start = new URLSearchParams(search).get("start");
  return start !== null && /^[0-9T:.Z+ -]{1,40}$/.test(start) ? start.replace(" ", "+") : null;
}
