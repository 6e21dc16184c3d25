from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hatch_build
from tests.webrtc.rtp.receiver import Receiver, open_socket
from webrtc.rtp.fanout import FanOut
from webrtc.rtp.native_fanout import NativeFanOut, NativeSocket
from webrtc.rtp.python_fanout import PythonFanOut

ROOT = Path(__file__).parents[3]

MakeFanOut = Callable[[NativeSocket], FanOut]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the native step from the source as it is."""
    path = tmp_path_factory.mktemp("native") / "libfanout.so"
    if not hatch_build.build(ROOT, path):
        pytest.skip("no C compiler")
    return path


@pytest.fixture(params=["python", "native"])
def make(request: pytest.FixtureRequest) -> MakeFanOut:
    """Give both ways of fanning out: what holds for one holds for the other."""
    if request.param == "python":
        return PythonFanOut
    path: Path = request.getfixturevalue("library")
    return lambda sock: NativeFanOut(sock, path)


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    """Open receivers, and close them afterwards."""
    opened: list[Receiver] = []

    def make_receiver(**arguments: object) -> Receiver:
        opened.append(Receiver(**arguments))  # type: ignore[arg-type]
        return opened[-1]

    yield make_receiver
    for receiver in opened:
        receiver.socket.close()


@pytest.fixture
def sender() -> Iterator[NativeSocket]:
    """Open a socket to send from."""
    with open_socket("127.0.0.1") as sock:
        yield sock
