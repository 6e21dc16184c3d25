import { useEffect, useMemo, useState } from "preact/hooks";
import { Header } from "./header";
import { PlayerView } from "./player-view";
import { Broadcast, type BroadcastState } from "./broadcast";
import { startOf } from "./rewind";
import { text } from "./text";

/** `/watch/:id`: the player with the broadcast's title and state. */
export function Watch({ streamId }: { streamId: string }) {
  const broadcast = useMemo(() => new Broadcast(streamId, startOf(location.search)), [streamId]);
  const [state, setState] = useState<BroadcastState>(broadcast.state);

  useEffect(() => broadcast.start(setState), [broadcast]);
  useEffect(() => {
    if (state.stream) document.title = `${state.stream.title} · ${text.siteName}`;
  }, [state.stream?.title]);

  return (
    <>
      <Header />
      <main class="watch">
        <PlayerView broadcast={broadcast} state={state} />
        <section class="about">
          <h1>{state.stream?.title ?? " "}</h1>
          <p class="stream-facts">
            <Badge state={state} />
            {state.stream?.category && <span>{state.stream.category}</span>}
            {!!state.stream?.viewer_count && <span>{text.home.viewers(state.stream.viewer_count)}</span>}
          </p>
          {state.stream?.description && <p class="description">{state.stream.description}</p>}
        </section>
      </main>
    </>
  );
}

function Badge({ state }: { state: BroadcastState }) {
  if (state.phase === "ended") return <span class="badge">{text.badge.ended}</span>;
  if (state.phase === "playing" || state.phase === "reconnecting")
    return <span class="badge live">{text.badge.live}</span>;
  if (state.phase === "waiting") return <span class="badge">{text.badge.waiting}</span>;
  return null;
}
