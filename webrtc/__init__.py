"""WebRTC: viewers over WHEP, streamers over WHIP, encoded once for everybody (docs/webrtc.md)."""
