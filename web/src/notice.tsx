import type { Phase } from "./broadcast";
import { text } from "./text";

const NOTICES: Partial<Record<Phase, { title: string; detail?: string; busy?: boolean; leave?: boolean }>> = {
  loading: { title: text.state.loading, busy: true },
  waiting: { title: text.state.waiting, detail: text.state.waitingDetail, busy: true },
  reconnecting: { title: text.state.reconnecting, busy: true },
  ended: { title: text.state.ended, detail: text.state.endedDetail, leave: true },
  cancelled: { title: text.state.cancelled, leave: true },
  missing: { title: text.state.notFound, detail: text.state.notFoundDetail, leave: true },
  unsupported: { title: text.state.unsupported, detail: text.state.unsupportedDetail, leave: true },
};

/** What the viewer sees when there is no picture. */
export function Notice({ phase }: { phase: Phase }) {
  const notice = NOTICES[phase];
  if (!notice) return null;
  return (
    <div class="notice" role="status">
      {notice.busy && <span class="spinner" aria-hidden="true" />}
      <p class="notice-title">{notice.title}</p>
      {notice.detail && <p>{notice.detail}</p>}
      {notice.leave && (
        <a class="button" href="/">
          {text.state.backToList}
        </a>
      )}
    </div>
  );
}
