from __future__ import annotations

from importlib.metadata import version

import pytest

from webrtc.transport.pinned import VERSIONS, ffi, lib


@pytest.mark.parametrize("name", VERSIONS)
def test_the_versions_are_those_that_were_tried(name: str) -> None:
    assert version(name) == VERSIONS[name], (
        "look at webrtc/transport/pinned.py and stun.py, then at this number"
    )


def test_the_functions_of_libsrtp_are_where_they_were() -> None:
    assert callable(lib.srtp_protect)
    assert ffi.sizeof("int") == 4
