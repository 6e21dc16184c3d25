/** Every text that a person reads, in one place, ready for translation. */
export const text = {
  siteName: "Live",

  home: {
    title: "Live now",
    empty: "Nobody is live right now. This list looks again by itself.",
    loading: "Looking who is live …",
    failed: "The list cannot be loaded right now. Trying again …",
    viewers: (count: number) => (count === 1 ? "1 viewer" : `${count} viewers`),
  },

  state: {
    loading: "Loading …",
    waiting: "Waiting for the broadcast to start",
    waitingDetail: "This page starts playing by itself.",
    publisherLost: "The broadcaster lost the connection. Waiting for the picture to come back …",
    reconnecting: "The connection was lost. Reconnecting …",
    ended: "The broadcast has ended",
    endedDetail: "Thank you for watching.",
    cancelled: "This broadcast was cancelled",
    notFound: "There is no such broadcast",
    notFoundDetail: "Check the address, or choose one from the list.",
    unsupported: "This browser cannot play the broadcast",
    unsupportedDetail: "A current Chrome, Edge, Firefox or Safari can.",
    backToList: "See who is live",
  },

  badge: { live: "Live", waiting: "Soon", ended: "Ended" },

  player: {
    label: "Video player",
    video: "Live video",
    play: "Play",
    pause: "Pause",
    mute: "Mute",
    unmute: "Unmute",
    tapToUnmute: "Tap to unmute",
    volume: "Volume",
    quality: "Quality",
    auto: "Auto",
    autoNow: (name: string) => `Auto (${name})`,
    fullscreen: "Full screen",
    leaveFullscreen: "Leave full screen",
    goLive: "Go to live",
    atLive: "You are watching live",
    buffering: "Buffering",
    statistics: "Technical details",
    behind: (time: string) => `${time} behind live`,
    seek: "Rewind",
    timeOf: (time: string, length: string) => `${time} of ${length}`,
  },

  statistics: {
    latency: "Behind live",
    quality: "Quality",
    buffer: "Buffer",
    dropped: "Dropped frames",
    speed: "Speed",
    bandwidth: "Bandwidth",
    stalls: "Stalls",
    none: "–",
  },
};
