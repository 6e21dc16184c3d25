const HLS_TYPE = "application/vnd.apple.mpegurl";

/**
 * What plays HLS here. Media Source Extensions come first, also Safari's managed ones: Chrome answers that it may play HLS
 * by itself, and stalls.
 */
export function engineOf(hasMediaSource: boolean, video: Pick<HTMLVideoElement, "canPlayType">): "hls.js" | "native" | null {
  if (hasMediaSource) return "hls.js";
  return video.canPlayType(HLS_TYPE) === "" ? null : "native";
}
