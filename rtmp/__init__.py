"""RTMP ingest: a sans-IO protocol core (`connection`) and the asyncio server that drives it (`server`).

Layers, from the wire up: `handshake`, `chunk_reader` (messages out of chunks), `amf0`, `command`, `session`
(the conversation), `video` and `audio` (FLV tags to `media.packet.Packet`), `connection`. Sources: Adobe's
RTMP 1.0, FLV/F4V 10.1 and AMF 0 specifications.
"""
