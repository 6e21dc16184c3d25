"""What this room uses of its libraries although it is not meant for others: all of it is here.

`tests/webrtc/transport/test_pinned.py` fails when other versions are installed: look at this module then, and at
`webrtc.transport.stun`, which leans on how aioice parses.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import Any

import pylibsrtp

VERSIONS = MappingProxyType({"aiortc": "1.16.0", "aioice": "0.13.0", "pylibsrtp": "1.0.0"})
"""With which this was tried."""

_binding: Any = importlib.import_module("pylibsrtp._binding")
ffi: Any = _binding.ffi
"""Of cffi, to make and read C values."""
lib: Any = _binding.lib
"""The functions of libsrtp: `srtp_protect(srtp_t, void *packet, int *length)` works in place."""


def session_pointer(session: pylibsrtp.Session) -> Any:
    """Return a session as libsrtp knows it (`srtp_t`). It is valid as long as `session` lives."""
    return session._srtp[0]
