import { useEffect, useState } from "preact/hooks";

export interface MediaState {
  paused: boolean;
  muted: boolean;
  volume: number;
  buffering: boolean;
  fullscreen: boolean;
}

const EVENTS = ["play", "pause", "playing", "waiting", "seeking", "seeked", "volumechange", "emptied", "ended", "canplay"];

/** Follow what the media element and the full-screen state do, whoever caused it. */
export function useMediaState(video: HTMLVideoElement | null): MediaState {
  const [state, setState] = useState<MediaState>(() => read(video));
  useEffect(() => {
    const update = () => setState(read(video));
    const controller = new AbortController();
    for (const name of EVENTS) video?.addEventListener(name, update, { signal: controller.signal });
    document.addEventListener("fullscreenchange", update, { signal: controller.signal });
    update();
    return () => controller.abort();
  }, [video]);
  return state;
}

function read(video: HTMLVideoElement | null): MediaState {
  return {
    paused: video?.paused ?? true,
    muted: video === null || video.muted || video.volume === 0,
    volume: video?.volume ?? 1,
    buffering: video !== null && !video.paused && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA,
    fullscreen: document.fullscreenElement !== null,
  };
}
