import { useEffect, useState } from "preact/hooks";
import { listLiveStreams, type Stream } from "./api";
import { Header } from "./header";
import { text } from "./text";

const REFRESH_MS = 5000;

/** `/`: who is live. */
export function Home() {
  const [streams, setStreams] = useState<Stream[] | null>(null);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    const refresh = () =>
      listLiveStreams()
        .then((list) => (setStreams(list), setFailed(false)))
        .catch(() => setFailed(true));
    void refresh();
    const timer = setInterval(() => document.hidden || void refresh(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);

  return (
    <>
      <Header />
      <main class="home">
        <h1>{text.home.title}</h1>
        {failed && <p role="alert">{text.home.failed}</p>}
        {streams === null && !failed && <p role="status">{text.home.loading}</p>}
        {streams?.length === 0 && <p role="status">{text.home.empty}</p>}
        <ul class="stream-list">
          {streams?.map((stream) => (
            <StreamCard key={stream.id} stream={stream} />
          ))}
        </ul>
      </main>
    </>
  );
}

function StreamCard({ stream }: { stream: Stream }) {
  return (
    <li>
      <a class="stream-card" href={`/watch/${encodeURIComponent(stream.id)}`}>
        <span class="badge live">{text.badge.live}</span>
        <span class="stream-title">{stream.title}</span>
        <span class="stream-facts">
          {stream.category && <span>{stream.category}</span>}
          {!!stream.viewer_count && <span>{text.home.viewers(stream.viewer_count)}</span>}
        </span>
      </a>
    </li>
  );
}
