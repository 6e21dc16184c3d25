"""A Redis server for tests: real, on a socket in a folder of its own, or a cluster of one node."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

START_S = 20.0


class RedisServer:
    """A server that can be stopped and started; it keeps nothing over that."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--unixsocket", str(self._socket), "--save", "", *self._options()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._socket.parent,
        )
        end = time.monotonic() + START_S
        while not self._is_ready():
            assert self._process.poll() is None, "redis-server has ended"
            assert time.monotonic() < end, "redis-server does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._socket.unlink(missing_ok=True)
            self._process = None

    def hang(self) -> None:
        """Let it answer nothing, without closing a connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Redis:
        """Connect to it; for what tests do behind the back of the program."""
        return Redis(unix_socket_path=str(self._socket))

    def drop_connections(self) -> None:
        """Close all connections; whoever had one may connect anew."""
        with self.client() as redis:
            redis.client_kill_filter(_type="normal", skipme=True)
            redis.client_kill_filter(_type="pubsub", skipme=True)

    def _options(self) -> list[str]:
        return ["--port", "0"]

    def _is_ready(self) -> bool:
        try:
            with self.client() as redis:
                return bool(redis.ping())
        except (RedisError, OSError):
            return False


class RedisCluster(RedisServer):
    """A node of a cluster, on a port of loopback: the only one, unless it is given fewer slots than there are.

    Args:
        folder: where its files are.
        slots: its first and its last.
    """

    def __init__(self, folder: Path, slots: tuple[int, int] = (0, 16383)) -> None:
        super().__init__(folder)
        self._folder = folder
        self.slots = slots
        self.port = _free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def meet(self, other: RedisCluster) -> None:
        """Make one cluster of two nodes."""
        self.ask("CLUSTER MEET", "127.0.0.1", other.port)

    def ask(self, *command: str | bytes | int) -> object:
        """Ask this node, wherever the answer would be."""
        with self.client() as redis:
            return redis.execute_command(*command)

    @property
    def is_whole(self) -> bool:
        """Whether all slots are served, as far as this node knows."""
        return "'cluster_state': 'ok'" in str(self.ask("CLUSTER INFO"))

    def start(self) -> None:
        (self._folder / "nodes.conf").unlink(missing_ok=True)
        super().start()

    def _options(self) -> list[str]:
        return ["--port", str(self.port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]

    def _is_ready(self) -> bool:
        try:
            if not self.ask("CLUSTER SLOTS"):
                self.ask("CLUSTER ADDSLOTSRANGE", *self.slots)
            return self.is_whole or self.slots != (0, 16383)
        except (RedisError, OSError):
            return False


def _free_port() -> int:
    """Find a port that is free, and 10,000 above it too: the cluster talks to itself there."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port: int = one.getsockname()[1]
        if port + 10_000 < 65_536:
            return port


def _running(kind: type[RedisServer], folder: Path) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is needed")
    server = kind(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from _running(RedisServer, tmp_path_factory.mktemp("redis"))


@pytest.fixture
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    yield from _running(RedisCluster, tmp_path_factory.mktemp("redis"))
