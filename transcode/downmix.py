"""From decoded sound of any rate and layout to 48 kHz stereo: what both outputs are encoded from.

More channels are mixed as ITU-R BS.775 has it: centre and surrounds at -3 dB, without the low-frequency effects. All is
scaled so that channels at full scale together do not clip (ATSC A/52, 7.8.2: 5.1 by 0.414), dialogue and music alike,
which keeps their balance. FFmpeg's own default for floating point does not scale, and clips. A mono source is heard
from both sides at its own level, as a copied one is.
"""

from __future__ import annotations

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from media.timing import rescale

SAMPLE_RATE = 48_000
"""One rate for all outputs: Opus knows no other, and AAC's configuration is then constant like video's."""

LAYOUT = "stereo"
SAMPLE_FORMAT = "flt"
BYTES_PER_SAMPLE = 8
"""Of both channels, 32-bit floats interleaved."""

_RESAMPLE = f"{SAMPLE_RATE}:ochl={LAYOUT}:osf={SAMPLE_FORMAT}:rematrix_maxval=1.0"


class Mixer:
    """Converts frames of one shape.

    Args:
        sample_rate: in Hz.
        sample_format: FFmpeg's name.
        layout: FFmpeg's name of the channels.
    """

    def __init__(self, sample_rate: int, sample_format: str, layout: str) -> None:
        self.shape = (sample_rate, sample_format, layout)
        self._rate = sample_rate
        self._taken = self._given = 0  # samples per channel, of either rate
        self._graph = Graph()
        nodes = [
            self._graph.add_abuffer(format=sample_format, sample_rate=sample_rate, layout=layout),
            *([self._graph.add("pan", "stereo|c0=c0|c1=c0")] if layout == "mono" else []),
            self._graph.add("aresample", _RESAMPLE),
            self._graph.add("abuffersink"),
        ]
        self._graph.link_nodes(*nodes).configure()

    @property
    def held(self) -> int:
        """Samples, of the new rate, that are in the filter still."""
        return rescale(self._taken, SAMPLE_RATE, self._rate) - self._given

    def mix(self, frame: AudioFrame) -> bytes:
        """Convert a frame; returns the samples that come out at once.

        Raises:
            av.FFmpegError: its channels cannot be mixed.
        """
        self._taken += frame.samples
        frame.pts = None
        self._graph.push(frame)
        found = b""
        while (out := self._pull()) is not None:
            # The plane is padded to the allocation; only this much of it is sound.
            found += bytes(out.planes[0])[: out.samples * BYTES_PER_SAMPLE]
        self._given += len(found) // BYTES_PER_SAMPLE
        return found

    def _pull(self) -> AudioFrame | None:
        try:
            frame = self._graph.pull()
        except (BlockingIOError, av.EOFError):
            return None
        return frame if isinstance(frame, AudioFrame) else None
