import { useEffect, useRef, useState } from "preact/hooks";
import type { Broadcast, BroadcastState } from "./broadcast";
import { type Actions, Controls } from "./controls";
import { Icon } from "./icons";
import { useMediaState } from "./media-state";
import { clamp } from "./rewind";
import { Notice } from "./notice";
import type { PlayerStats } from "./stats";
import { Statistics } from "./statistics";
import { text } from "./text";

const STATS_MS = 500;
const IDLE_MS = 3000;
const SKIP_S = 5;
const DELAYED_NOTICE_MS = 8000;

/** The picture with everything that lies over it. */
export function PlayerView({ broadcast, state }: { broadcast: Broadcast; state: BroadcastState }) {
  const [video, setVideo] = useState<HTMLVideoElement | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [showStatistics, setShowStatistics] = useState(false);
  const media = useMediaState(video);
  const stats = useStats(broadcast);
  const [idle, wake] = useIdle();
  const actions = actionsOn(broadcast, video, frame.current);
  const playing = state.phase === "playing";

  useEffect(() => {
    if (!video) return;
    video.muted = true; // browsers start nothing by themselves that makes a sound
    broadcast.attach(video);
  }, [broadcast, video]);
  useKeyboard(actions, wake);

  return (
    <div
      ref={frame}
      class={idle && playing && !media.paused ? "player idle" : "player"}
      role="region"
      aria-label={text.player.label}
      onPointerMove={wake}
      onFocusIn={wake}
    >
      <video ref={setVideo} playsInline aria-label={text.player.video} onClick={actions.togglePlay} />
      {playing && media.muted && !media.paused && (
        <button type="button" class="unmute" onClick={actions.toggleMute}>
          <Icon name="muted" />
          {text.player.tapToUnmute}
        </button>
      )}
      {playing && <Buffering isBuffering={media.buffering || stats.isStalled} state={state} />}
      {playing && state.isDelayed && <Delayed />}
      {!playing && <Notice phase={state.phase} />}
      {showStatistics && <Statistics stats={stats} />}
      {playing && (
        <Controls
          media={media}
          stats={stats}
          chosenLevel={broadcast.chosenLevel}
          actions={actions}
          statisticsShown={showStatistics}
          onStatistics={() => setShowStatistics(!showStatistics)}
          placeAt={(time) => broadcast.player?.placeAt(time) ?? null}
          thumbnailUrl={(msn) => broadcast.thumbnailUrl(msn)}
        />
      )}
    </div>
  );
}

/** Says for a while that the viewer sees everything a little later than others. */
function Delayed() {
  const [isShown, setShown] = useState(true);
  useEffect(() => {
    const timer = setTimeout(() => setShown(false), DELAYED_NOTICE_MS);
    return () => clearTimeout(timer);
  }, []);
  return isShown ? (
    <p class="delayed" role="status">
      {text.player.delayed}
    </p>
  ) : null;
}

function Buffering({ isBuffering, state }: { isBuffering: boolean; state: BroadcastState }) {
  if (!isBuffering) return null;
  const reason = absenceReason(state);
  return (
    <div class="buffering" role="status">
      <span class="spinner" aria-hidden="true" />
      <span class={reason ? "reason" : "visually-hidden"}>{reason ?? text.player.buffering}</span>
    </div>
  );
}

function absenceReason(state: BroadcastState): string | null {
  if (!state.reachable) return text.state.reconnecting;
  return state.stream?.media?.connected === false ? text.state.publisherLost : null;
}

function actionsOn(broadcast: Broadcast, video: HTMLVideoElement | null, frame: HTMLElement | null): Actions {
  return {
    togglePlay: () => {
      if (video?.paused) broadcast.player?.play();
      else broadcast.player?.pause();
    },
    toggleMute: () => {
      if (!video) return;
      video.muted = !video.muted;
      if (!video.muted && video.volume === 0) video.volume = 1;
    },
    setVolume: (volume) => {
      if (!video) return;
      video.volume = volume;
      video.muted = volume === 0;
    },
    toggleFullscreen: () => {
      const change = document.fullscreenElement ? document.exitFullscreen() : frame?.requestFullscreen?.();
      void change?.catch(() => undefined);
    },
    goLive: () => broadcast.goLive(),
    seek: (time) => broadcast.player?.seek(time),
    skip: (seconds) => {
      const rewind = broadcast.player?.rewind();
      if (!rewind) return;
      const time = rewind.position + seconds;
      if (rewind.live && time >= rewind.end) broadcast.goLive();
      else broadcast.player?.seek(clamp(time, rewind.start, rewind.end));
    },
    chooseLevel: (name) => broadcast.chooseLevel(name),
  };
}

function useStats(broadcast: Broadcast): PlayerStats {
  const [stats, setStats] = useState(() => broadcast.stats());
  useEffect(() => {
    const timer = setInterval(() => setStats(broadcast.stats()), STATS_MS);
    return () => clearInterval(timer);
  }, [broadcast]);
  return stats;
}

/** The controls hide when nobody has touched anything for a while. */
function useIdle(): [boolean, () => void] {
  const [idle, setIdle] = useState(false);
  const timer = useRef(0);
  const wake = () => {
    setIdle(false);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setIdle(true), IDLE_MS);
  };
  useEffect(() => (wake(), () => clearTimeout(timer.current)), []);
  return [idle, wake];
}

/**
 * space plays and pauses, m mutes, f is full screen, arrows and j, l rewind and come back; keys that a focused control
 * needs stay its own.
 */
function useKeyboard(actions: Actions, wake: () => void): void {
  useEffect(() => {
    const keys: Record<string, () => void> = {
      " ": actions.togglePlay,
      m: actions.toggleMute,
      f: actions.toggleFullscreen,
      arrowleft: () => actions.skip(-SKIP_S),
      arrowright: () => actions.skip(SKIP_S),
      j: () => actions.skip(-2 * SKIP_S),
      l: () => actions.skip(2 * SKIP_S),
    };
    const onKey = (event: KeyboardEvent) => {
      wake();
      const inControl = event.target instanceof Element && event.target.closest("select, input, textarea, button, a");
      const action = keys[event.key.toLowerCase()];
      const isSkip = event.key.startsWith("Arrow");
      if (!action || event.ctrlKey || event.metaKey || event.altKey || (event.repeat && !isSkip)) return;
      if (inControl && (event.key === " " || inControl.matches("select, input[type=text], textarea"))) return;
      if (isSkip && inControl instanceof Element && inControl.matches("input")) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
}
