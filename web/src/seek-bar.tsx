import { useEffect, useRef, useState } from "preact/hooks";
import { type Place, type Rewind, clamp, clock, isAtLive } from "./rewind";
import { text } from "./text";

const STEP_S = 5;
const PAGE_S = 60;
/** How long a pointer rests before a picture is asked for: one at a time, none while it flies over the bar. */
const REST_MS = 120;

interface Props {
  rewind: Rewind;
  /** Segment and date of a time. */
  placeAt(time: number): Place | null;
  thumbnailUrl(msn: number): string;
  onSeek(time: number): void;
  onLive(): void;
}

/** Shows what can be rewound to, and goes there: drag, click, arrows, Home for the begin, End for live. */
export function SeekBar({ rewind, placeAt, thumbnailUrl, onSeek, onLive }: Props) {
  const bar = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const [dragging, setDragging] = useState(false);
  const length = rewind.end - rewind.start;
  const shown = dragging && pointed !== null ? pointed : rewind.position;
  const percent = (time: number) => `${(clamp((time - rewind.start) / length, 0, 1) * 100).toFixed(3)}%`;
  const timeOf = (event: PointerEvent) => {
    const box = bar.current!.getBoundingClientRect();
    return rewind.start + clamp((event.clientX - box.left) / box.width, 0, 1) * length;
  };
  const go = (time: number) => (rewind.live && time >= rewind.end - 1 ? onLive() : onSeek(clamp(time, rewind.start, rewind.end)));

  return (
    <div
      ref={bar}
      class="seek"
      role="slider"
      tabIndex={0}
      aria-label={text.player.seek}
      aria-valuemin={0}
      aria-valuemax={Math.round(length)}
      aria-valuenow={Math.round(shown - rewind.start)}
      aria-valuetext={valueText(rewind, shown)}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        bar.current!.setPointerCapture(event.pointerId);
        setDragging(true);
        setPointed(timeOf(event));
      }}
      onPointerMove={(event) => setPointed(timeOf(event))}
      onPointerUp={(event) => {
        if (dragging) go(timeOf(event));
        setDragging(false);
        if (event.pointerType !== "mouse") setPointed(null);
      }}
      onPointerCancel={() => setDragging(false)}
      onPointerLeave={() => dragging || setPointed(null)}
      onKeyDown={(event) => {
        const moves: Record<string, () => void> = {
          ArrowLeft: () => go(rewind.position - STEP_S),
          ArrowDown: () => go(rewind.position - STEP_S),
          ArrowRight: () => go(rewind.position + STEP_S),
          ArrowUp: () => go(rewind.position + STEP_S),
          PageDown: () => go(rewind.position - PAGE_S),
          PageUp: () => go(rewind.position + PAGE_S),
          Home: () => onSeek(rewind.start),
          End: () => (rewind.live ? onLive() : onSeek(rewind.end)),
        };
        const move = event.ctrlKey || event.metaKey || event.altKey ? undefined : moves[event.key];
        if (!move) return;
        event.preventDefault();
        event.stopPropagation();
        move();
      }}
    >
      <div class="seek-track">
        <div class="seek-buffered" style={{ width: percent(rewind.buffered) }} />
        <div class="seek-played" style={{ width: percent(shown) }} />
      </div>
      <div class="seek-thumb" style={{ left: percent(shown) }} />
      {pointed !== null && <Preview time={pointed} left={percent(pointed)} rewind={rewind} place={placeAt(pointed)} thumbnailUrl={thumbnailUrl} />}
    </div>
  );
}

function valueText(rewind: Rewind, time: number): string {
  if (isAtLive({ ...rewind, position: time })) return text.player.atLive;
  return rewind.live ? text.player.behind(clock(rewind.end - time)) : text.player.timeOf(clock(time - rewind.start), clock(rewind.end - rewind.start));
}

interface PreviewProps {
  time: number;
  left: string;
  rewind: Rewind;
  place: Place | null;
  thumbnailUrl(msn: number): string;
}

function Preview({ time, left, rewind, place, thumbnailUrl }: PreviewProps) {
  const url = useRested(place === null ? null : thumbnailUrl(place.msn));
  const date = place?.dateMs != null ? new Date(place.dateMs).toLocaleTimeString() : null;
  return (
    <div class="seek-preview" style={{ left: `clamp(5.5rem, ${left}, calc(100% - 5.5rem))` }} aria-hidden="true">
      <Thumbnail url={url} />
      <span>{rewind.live ? `−${clock(rewind.end - time)}` : clock(time - rewind.start)}</span>
      {rewind.live && date && <span class="seek-date">{date}</span>}
    </div>
  );
}

/** Shows a picture once it is there, and the one before until then. */
function Thumbnail({ url }: { url: string | null }) {
  const [shown, setShown] = useState<string | null>(null);
  useEffect(() => {
    if (url === null) return;
    const image = new Image();
    image.onload = () => setShown(url);
    image.onerror = () => setShown(null);
    image.src = url;
    return () => {
      image.onload = image.onerror = null;
      image.src = ""; // gives up a request that nobody waits for any more
    };
  }, [url]);
  return shown === null ? null : <img src={shown} alt="" />;
}

function useRested<T>(value: T): T | null {
  const [rested, setRested] = useState<T | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), REST_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}
