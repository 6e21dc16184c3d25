"""A WHEP player out of GStreamer's webrtcbin; for the system's Python, which has GStreamer's bindings.

    /usr/bin/python3 webrtcbin_player.py http://127.0.0.1:8098/webrtc/STREAM SECONDS

Says in JSON what has come: the codecs, size and number of the pictures, samples of sound, errors.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found]  # noqa: E402

_CAPS = {
    "video": "payload=102,clock-rate=90000,encoding-name=H264,packetization-mode=(string)1",
    "audio": "payload=111,clock-rate=48000,encoding-name=OPUS,encoding-params=(string)2",
}
_DECODERS = {"video": "rtph264depay ! h264parse ! openh264dec", "audio": "rtpopusdepay ! opusdec"}
_STEREO_SAMPLE_BYTES = 4


class Player:
    """Watches one address."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._found: dict[str, Any] = {"video": 0, "audio": 0, "codecs": [], "size": None, "errors": []}
        self._pipeline = Gst.Pipeline.new("player")
        self._receiver = Gst.ElementFactory.make("webrtcbin", "receiver")
        self._receiver.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self._pipeline.add(self._receiver)
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        for kind, fields in _CAPS.items():
            caps = Gst.Caps.from_string(f"application/x-rtp,media={kind},{fields}")
            self._receiver.emit("add-transceiver", direction, caps)
        self._receiver.connect("pad-added", self._on_pad)
        self._receiver.connect("on-negotiation-needed", self._on_negotiation)

    def play(self, seconds: float) -> dict[str, Any]:
        """Watch for some seconds; returns what has come."""
        loop = GLib.MainLoop()
        bus = self._pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self._on_error)
        self._pipeline.set_state(Gst.State.PLAYING)
        GLib.timeout_add(int(1000 * seconds), loop.quit)
        loop.run()
        self._pipeline.set_state(Gst.State.NULL)
        return self._found

    def _on_negotiation(self, receiver: Any) -> None:
        receiver.emit("create-offer", None, Gst.Promise.new_with_change_func(self._on_offer))

    def _on_offer(self, promise: Any) -> None:
        promise.wait()
        reply = promise.get_reply()  # to be held: the offer is a part of it
        offer = reply.get_value("offer")
        text = offer.sdp.as_text()
        self._receiver.emit("set-local-description", offer, Gst.Promise.new())
        request = urllib.request.Request(self._url, text.encode(), {"Content-Type": "application/sdp"})
        with urllib.request.urlopen(request, timeout=10) as response:
            data = response.read()
        _, sdp = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(data, sdp)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self._receiver.emit("set-remote-description", answer, Gst.Promise.new())

    def _on_pad(self, _: Any, pad: Any) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps().get_structure(0)
        kind = caps.get_string("media")
        self._found["codecs"].append(caps.get_string("encoding-name"))
        sink = "fakesink name=sink signal-handoffs=true sync=false"
        branch = Gst.parse_bin_from_description(f"queue ! {_DECODERS[kind]} ! {sink}", True)
        branch.get_by_name("sink").connect("handoff", self._on_decoded, kind)
        self._pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def _on_decoded(self, _: Any, buffer: Any, pad: Any, kind: str) -> None:
        if kind == "audio":
            self._found["audio"] += buffer.get_size() // _STEREO_SAMPLE_BYTES
        else:
            picture = pad.get_current_caps().get_structure(0)
            self._found["video"] += 1
            self._found["size"] = [picture.get_int("width")[1], picture.get_int("height")[1]]

    def _on_error(self, _: Any, message: Any) -> None:
        self._found["errors"].append(str(message.parse_error()))


if __name__ == "__main__":
    Gst.init(None)
    sys.stdout.write(json.dumps(Player(sys.argv[1]).play(float(sys.argv[2]))))
