import { Icon } from "./icons";
import type { MediaState } from "./media-state";
import { clock, LIVE_TOLERANCE_S, type Place } from "./rewind";
import { SeekBar } from "./seek-bar";
import { levelLabel, type PlayerStats } from "./stats";
import { text } from "./text";

/** So far behind, tenths do not matter. */
const FAR_S = 30;

/** What a viewer can do to the player. */
export interface Actions {
  togglePlay(): void;
  toggleMute(): void;
  setVolume(volume: number): void;
  toggleFullscreen(): void;
  goLive(): void;
  seek(time: number): void;
  /** Go some seconds on, or back when negative. */
  skip(seconds: number): void;
  chooseLevel(name: string | null): void;
}

interface Props {
  media: MediaState;
  stats: PlayerStats;
  chosenLevel: string | null;
  actions: Actions;
  statisticsShown: boolean;
  onStatistics(): void;
  placeAt(time: number): Place | null;
  thumbnailUrl(msn: number): string;
}

export function Controls({ media, stats, chosenLevel, actions, statisticsShown, onStatistics, placeAt, thumbnailUrl }: Props) {
  const say = text.player;
  return (
    <div class="controls">
      {stats.rewind && (
        <SeekBar rewind={stats.rewind} placeAt={placeAt} thumbnailUrl={thumbnailUrl} onSeek={actions.seek} onLive={actions.goLive} />
      )}
      <div class="buttons">
      <IconButton icon={media.paused ? "play" : "pause"} label={media.paused ? say.play : say.pause} onClick={actions.togglePlay} />
      <IconButton icon={media.muted ? "muted" : "sound"} label={media.muted ? say.unmute : say.mute} onClick={actions.toggleMute} />
      <input
        class="volume"
        type="range"
        min="0"
        max="1"
        step="0.05"
        value={media.muted ? 0 : media.volume}
        aria-label={say.volume}
        onInput={(event) => actions.setVolume(Number(event.currentTarget.value))}
      />
      <LiveButton media={media} stats={stats} onClick={actions.goLive} />
      <span class="spacer" />
      <QualityMenu stats={stats} chosen={chosenLevel} onChoose={actions.chooseLevel} />
      <IconButton icon="statistics" label={say.statistics} pressed={statisticsShown} onClick={onStatistics} />
      <IconButton
        icon={media.fullscreen ? "leaveFullscreen" : "fullscreen"}
        label={media.fullscreen ? say.leaveFullscreen : say.fullscreen}
        onClick={actions.toggleFullscreen}
      />
      </div>
    </div>
  );
}

function LiveButton({ media, stats, onClick }: { media: MediaState; stats: PlayerStats; onClick(): void }) {
  if (stats.latency === null) return null;
  const behind = stats.latency - (stats.targetLatency ?? 0);
  const latency = stats.latency < FAR_S ? `${Math.max(0.1, stats.latency).toFixed(1)} s` : clock(stats.latency);
  const atLive = !media.paused && behind < LIVE_TOLERANCE_S;
  return (
    <button type="button" class={atLive ? "live-button at-live" : "live-button"} title={atLive ? text.player.atLive : text.player.goLive} onClick={leaveFocus(onClick)}>
      <span class="dot" aria-hidden="true" />
      <span class="live-word">{text.badge.live}</span>
      <span class="latency" aria-label={text.player.behind(latency)}>
        −{latency}
      </span>
    </button>
  );
}

function QualityMenu({ stats, chosen, onChoose }: { stats: PlayerStats; chosen: string | null; onChoose(name: string | null): void }) {
  if (stats.levels.length < 2) return null;
  const bestFirst = [...stats.levels].sort((a, b) => parseInt(b, 10) - parseInt(a, 10));
  const auto = chosen === null && stats.level ? text.player.autoNow(levelLabel(stats.level)) : text.player.auto;
  return (
    <select
      class="quality"
      aria-label={text.player.quality}
      value={chosen ?? ""}
      onChange={(event) => onChoose(event.currentTarget.value || null)}
    >
      <option value="">{auto}</option>
      {bestFirst.map((name) => (
        <option key={name} value={name}>
          {levelLabel(name)}
        </option>
      ))}
    </select>
  );
}

interface IconButtonProps {
  icon: Parameters<typeof Icon>[0]["name"];
  label: string;
  pressed?: boolean;
  onClick(): void;
}

/** Whoever points does not want the next space bar to press this button again; whoever uses the keyboard stays here. */
function leaveFocus(onClick: () => void): (event: MouseEvent) => void {
  return (event) => {
    if (event.detail && event.currentTarget instanceof HTMLElement) event.currentTarget.blur();
    onClick();
  };
}

function IconButton({ icon, label, pressed, onClick }: IconButtonProps) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} aria-pressed={pressed} onClick={leaveFocus(onClick)}>
      <Icon name={icon} />
    </button>
  );
}
