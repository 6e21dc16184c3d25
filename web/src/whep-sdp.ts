/** What the page changes in session descriptions, and reads from them. Pure. */

/** Say that stereo is welcome: browsers that are not asked for it make one channel of two. */
export function preferStereo(sdp: string): string {
  const types = new Set([...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000\/2/gim)].map((match) => match[1]!));
  return sdp.replace(/^a=fmtp:(\d+) (.*)$/gm, (line, type: string, parameters: string) =>
    types.has(type) && !/(^|;)\s*stereo=/.test(parameters) ? `a=fmtp:${type} ${parameters.trimEnd()};stereo=1${line.endsWith("\r") ? "\r" : ""}` : line,
  );
}

/** Write the fragment with which ICE is restarted (RFC 9725, 4.3.2), out of the offer that restarts it. */
export function restartFragment(offer: string): string {
  const lines = offer.split(/\r?\n/);
  const firstMedia = lines.findIndex((line) => line.startsWith("m="));
  const nextMedia = lines.findIndex((line, at) => at > firstMedia && line.startsWith("m="));
  const section = lines.slice(firstMedia, nextMedia < 0 ? undefined : nextMedia);
  const kept = [
    ...lines.slice(0, firstMedia).filter((line) => line.startsWith("a=group:BUNDLE")),
    section[0] ?? "",
    ...section.filter((line) => /^a=(mid|ice-ufrag|ice-pwd|candidate|end-of-candidates)\b/.test(line)),
  ];
  return kept.map((line) => `${line}\r\n`).join("");
}

/** Give an answer the credentials of the fragment that has answered a restart. */
export function restartedAnswer(answer: string, fragment: string): string {
  return answer.replace(/^a=(ice-ufrag|ice-pwd):.*?(\r?)$/gm, (line, name: string, end: string) => {
    const value = new RegExp(`^a=${name}:(\\S+)`, "m").exec(fragment)?.[1];
    return value === undefined ? line : `a=${name}:${value}${end}`;
  });
}
