/** What the page needs of whatever plays a broadcast. */
import type { Place, Rewind } from "./rewind";
import type { PlayerStats } from "./stats";

export interface Player {
  /** Whether playback has run dry. */
  readonly isStalled: boolean;
  /** Choose a rung by name; null leaves the choice to the network. */
  chooseLevel(name: string | null): void;
  /** What can be rewound to; null without a past worth speaking of. */
  rewind(): Rewind | null;
  /** Say what lies at a time of `rewind`. */
  placeAt(time: number): Place | null;
  /** Go to a time of the past, and stay behind live from there on. */
  seek(time: number): void;
  /** Stop, and go on from here later. */
  pause(): void;
  play(): void;
  goLive(): void;
  stats(): Omit<PlayerStats, "phase">;
  destroy(): void;
}

export interface PlayerEvents {
  onLevels(names: string[]): void;
  /** Playback cannot go on with this player; make a new one. */
  onFailed(reason: string): void;
  onEnded(): void;
}
