import { formatBitrate, levelLabel, type PlayerStats } from "./stats";
import { text } from "./text";
import type { ConnectionStats } from "./webrtc-stats";

type Row = [label: string, value: string];

/** The technical overlay. */
export function Statistics({ stats }: { stats: PlayerStats }) {
  const say = text.statistics;
  const rows: Row[] = [
    [say.transport, stats.transport === null ? say.none : say.transports[stats.transport]],
    [say.latency, stats.latency === null ? say.none : `${stats.latency.toFixed(2)} s`],
    [say.quality, stats.level ? levelLabel(stats.level) : say.none],
    ...(stats.connection ? connectionRows(stats.connection) : bufferRows(stats)),
    [say.dropped, `${stats.droppedFrames} / ${stats.totalFrames}`],
    [say.bandwidth, stats.bandwidth === null ? say.none : formatBitrate(stats.bandwidth)],
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

function bufferRows(stats: PlayerStats): Row[] {
  const say = text.statistics;
  return [
    [say.buffer, `${stats.buffer.toFixed(2)} s`],
    [say.speed, `${stats.playbackRate.toFixed(2)}×`],
    [say.stalls, `${stats.stalls} (${stats.stalledSeconds.toFixed(1)} s)`],
  ];
}

function connectionRows(connection: ConnectionStats): Row[] {
  const say = text.statistics;
  return [
    [say.codec, connection.codec ?? say.none],
    [say.picture, `${connection.width}×${connection.height}, ${Math.round(connection.framesPerSecond)}/s`],
    [say.jitterBuffer, milliseconds(connection.jitterBuffer)],
    [say.roundTrip, milliseconds(connection.roundTrip)],
    [say.packetsLost, `${connection.packetsLost} (${connection.nacks})`],
    [say.freezes, `${connection.freezes} (${connection.frozenSeconds.toFixed(1)} s)`],
  ];
}

function milliseconds(seconds: number | null): string {
  return seconds === null ? text.statistics.none : `${Math.round(seconds * 1000)} ms`;
}
