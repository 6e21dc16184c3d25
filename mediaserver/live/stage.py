"""Which broadcasts are on the air, and how long each waits for its encoder.

`Stage` is what the RTMP server asks for leave to publish, what the control plane starts and ends broadcasts with, and
where HLS delivery finds them: the ports of three rooms, implemented in one place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from control_api.port import EndStream, PublishRights
from control_api.stream import Stream, Status
from hls.config import HlsConfig
from hls.output import HlsOutput
from mediaserver.config import Settings
from rtmp.port import PublishRequest
from transcode.supervisor import WorkerPool

from .broadcast import Broadcast
from .checkpoint import CheckpointStore
from .rungs import Rungs
