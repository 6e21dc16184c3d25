import Hls, { type Events, type FragBufferedData, type FragLoadingData, type LoaderStats } from "hls.js";

/** So long may a request stay without its first byte before a lower quality is tried. */
const PATIENCE_MS = 4000;
const CHECK_MS = 100;

/**
 * The choice of quality of hls.js, except that only media on its way speaks of the bandwidth. A part of which nothing has
 * arrived is late because the publisher or the server is. hls.js counts that as a slow transfer, and leaves the quality after
 * half a part's duration of it, for the lowest one if the buffer is as short as it is close to live. What it asks for then
 * takes longer: another playlist, an init segment, and an encoder that nobody had asked for before.
 */
export class PatientAbr extends Hls.DefaultConfig.abrController {
  private waiting: number | undefined;

  override clearTimer(): void {
    clearInterval(this.waiting);
    super.clearTimer();
  }

  protected override onFragLoading(event: Events.FRAG_LOADING, data: FragLoadingData): void {
    super.onFragLoading(event, data);
    // Sound and init segments are passed over there, too, and end no wait for a picture.
    if (data.frag.type !== "main" || data.frag.sn === "initSegment") return;
    this.clearTimer();
    const { stats } = data.part ?? data.frag;
    const began = performance.now();
    this.waiting = self.setInterval(() => {
      if (stats.loaded || performance.now() - began > PATIENCE_MS) super.onFragLoading(event, data);
    }, CHECK_MS);
  }

  protected override onFragBuffered(event: Events.FRAG_BUFFERED, data: FragBufferedData): void {
    const { frag, part } = data;
    super.onFragBuffered(event, { ...data, frag: sinceFirstByte(frag), part: part && sinceFirstByte(part) });
  }
}

/** The same media, as if it had been asked for when its first byte came. */
export function sinceFirstByte<T extends { stats: LoaderStats }>(media: T): T {
  const { loading } = media.stats;
  const stats = Object.create(media.stats, { loading: { value: { ...loading, start: loading.first } } }) as LoaderStats;
  return Object.create(media, { stats: { value: stats } }) as T;
}
