/** The server's REST API, as far as the pages use it. */

export interface Stream {
  id: string;
  title: string;
  description?: string | null;
  category?: string | null;
  status: "created" | "scheduled" | "live" | "ended" | "cancelled";
  viewer_count?: number;
  media?: { connected: boolean };
  /** Where WHEP is. */
  webrtc_url?: string;
}

/** An answer of the server that is no success. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

export async function getStream(id: string): Promise<Stream> {
  return (await get(`/api/v1/streams/${encodeURIComponent(id)}`)) as Stream;
}

export async function listLiveStreams(): Promise<Stream[]> {
  return itemsOf(await get("/api/v1/streams/live"));
}

/** A list answers either bare or as an object whose array holds the page. */
export function itemsOf(body: unknown): Stream[] {
  if (Array.isArray(body)) return body as Stream[];
  const arrays = Object.values((body ?? {}) as Record<string, unknown>).filter(Array.isArray);
  return (arrays[0] ?? []) as Stream[];
}

async function get(path: string): Promise<unknown> {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body;
  const problem = (body ?? {}) as { code?: string; detail?: string };
  throw new ApiError(response.status, problem.code ?? "unknown", problem.detail ?? response.statusText);
}
