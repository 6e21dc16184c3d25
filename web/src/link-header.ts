/** `Link` headers (RFC 8288). Pure. */

export interface Link {
  target: string;
  rel: string;
  parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
const VALUE = `(?:"(?:[^"\\\\]|\\\\.)*"|[^\\s",;]+)`;
const LINK = new RegExp(`<([^>]*)>((?:\\s*;\\s*${TOKEN}(?:\\s*=\\s*${VALUE})?)*)`, "g");
const PARAMETER = new RegExp(`;\\s*(${TOKEN})(?:\\s*=\\s*(${VALUE}))?`, "g");

/** Read a header, which `fetch` makes of several by joining them with commas. */
export function parseLinks(header: string | null): Link[] {
  return [...(header ?? "").matchAll(LINK)].map(([, target = "", rest = ""]) => {
    const parameters = new Map<string, string>();
    for (const [, name = "", value = ""] of rest.matchAll(PARAMETER)) {
      const key = name.toLowerCase();
      if (!parameters.has(key)) parameters.set(key, unquote(value)); // the first one counts
    }
    return { target, rel: parameters.get("rel") ?? "", parameters };
  });
}

/** Find where a link of some relation leads; null where there is none. */
export function linkTo(links: readonly Link[], rel: string, base: string): string | null {
  const found = links.find((link) => link.rel.split(/\s+/).includes(rel));
  return found ? new URL(found.target, base).href : null;
}

/** The STUN and TURN servers that a WHEP answer names (RFC 9725, 4.6). */
export function iceServersOf(links: readonly Link[]): RTCIceServer[] {
  return links
    .filter((link) => link.rel === "ice-server")
    .map(({ target, parameters }) => {
      const username = parameters.get("username");
      const credential = parameters.get("credential");
      return username === undefined || credential === undefined ? { urls: target } : { urls: target, username, credential };
    });
}

function unquote(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
}
