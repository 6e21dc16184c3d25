"""A WHEP player out of GStreamer's webrtcbin; for the system's Python, which has GStreamer's bindings.

    /usr/bin/python3 webrtcbin_player.py http://127.0.0.1:8098/webrtc/STREAM SECONDS

Says in JSON what has come: caps of what was sent, size and number of the pictures, samples of sound.
"""

import json
import sys
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

DECODERS = {
    "video": "rtph264depay ! h264parse ! openh264dec ! fakesink name=video signal-handoffs=true sync=false",
    "audio": "rtpopusdepay ! opusdec ! fakesink name=audio signal-handoffs=true sync=false",
}
CAPS = {
    "video": "application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000,packetization-mode=(string)1",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2",
}


class Player:
    """Watches one address."""

    def __init__(self, url):
        self.url = url
        self.found = {"video": 0, "audio": 0, "caps": [], "size": None, "errors": []}
        self.pipeline = Gst.Pipeline.new("player")
        self.receiver = Gst.ElementFactory.make("webrtcbin", "receiver")
        self.receiver.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.receiver)
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        for kind in CAPS:
            self.receiver.emit("add-transceiver", direction, Gst.Caps.from_string(CAPS[kind]))
        self.receiver.connect("pad-added", self.on_pad)
        self.receiver.connect("on-negotiation-needed", self.on_negotiation)

    def on_negotiation(self, receiver):
        promise = Gst.Promise.new_with_change_func(self.on_offer)
        receiver.emit("create-offer", None, promise)

    def on_offer(self, promise):
        promise.wait()
        reply = promise.get_reply()  # to be held: the offer is part of it
        offer = reply.get_value("offer")
        sdp = offer.sdp.as_text().encode()
        self.receiver.emit("set-local-description", offer, Gst.Promise.new())
        request = urllib.request.Request(  # noqa: S310
            self.url, sdp, {"Content-Type": "application/sdp"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            text = response.read()
        _, sdp = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(text, sdp)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.receiver.emit("set-remote-description", answer, Gst.Promise.new())

    def on_pad(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps()
        kind = caps.get_structure(0).get_string("media")
        self.found["caps"].append(caps.to_string())
        branch = Gst.parse_bin_from_description("queue ! " + DECODERS[kind], True)
        branch.get_by_name(kind).connect("handoff", self.on_decoded, kind)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def on_decoded(self, _, buffer, pad, kind):
        if kind == "video":
            self.found["video"] += 1
            picture = pad.get_current_caps().get_structure(0)
            self.found["size"] = [picture.get_int("width")[1], picture.get_int("height")[1]]
        else:
            self.found["audio"] += buffer.get_size() // 4

    def play(self, seconds):
        loop = GLib.MainLoop()
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: self.found["errors"].append(str(message.parse_error())))
        self.pipeline.set_state(Gst.State.PLAYING)
        GLib.timeout_add(int(1000 * seconds), loop.quit)
        loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        return self.found


if __name__ == "__main__":
    Gst.init(None)
    print(json.dumps(Player(sys.argv[1]).play(float(sys.argv[2]))))  # noqa: T201
