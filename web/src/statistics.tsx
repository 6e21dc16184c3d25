import { formatBitrate, levelLabel, type PlayerStats } from "./stats";
import { text } from "./text";

/** The technical overlay. */
export function Statistics({ stats }: { stats: PlayerStats }) {
  const say = text.statistics;
  const rows: [string, string][] = [
    [say.latency, stats.latency === null ? say.none : `${stats.latency.toFixed(2)} s`],
    [say.quality, stats.level ? levelLabel(stats.level) : say.none],
    [say.buffer, `${stats.buffer.toFixed(2)} s`],
    [say.dropped, `${stats.droppedFrames} / ${stats.totalFrames}`],
    [say.speed, `${stats.playbackRate.toFixed(2)}×`],
    [say.bandwidth, stats.bandwidth === null ? say.none : formatBitrate(stats.bandwidth)],
    [say.stalls, `${stats.stalls} (${stats.stalledSeconds.toFixed(1)} s)`],
  ];
  return (
    <dl class="statistics">
      {rows.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
