"""Rates of users and of addresses, without a chat."""

from __future__ import annotations

import pytest

from control_api.chat.rate import ChatRate, shared_address
from control_api.wait import TooEarlyError

HOME = "93.184.216.34"


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        (HOME, HOME),
        ("::ffff:93.184.216.34", HOME),
        ("2606:2800:220:1:248:1893:25c8:1946", "2606280002200001::"),
        ("2606:2800:220:1::1", "2606280002200001::"),
        ("127.0.0.1", None),
        ("::1", None),
        ("10.1.2.3", None),
        ("192.168.1.7", None),
        ("100.64.0.1", None),
        ("fe80::1%eth0", None),
        ("fd00::1", None),
        ("", None),
        ("/run/socket", None),
        (None, None),
    ],
)
def test_whose_address_it_is(address: str | None, shared: str | None) -> None:
    assert shared_address(address) == shared


def test_one_turn_of_both() -> None:
    rate = ChatRate("comments", 2, 3)

    def write(user: str, address: str | None = HOME, now: float = 0.0) -> None:
        with rate.turn("stream", user, address, now):
            pass

    write("ann")
    write("ann")
    with pytest.raises(TooEarlyError, match="At most 2 comments in 10 s"):
        write("ann")
    write("bob")
    with pytest.raises(TooEarlyError, match="At most 3 comments from one address in 10 s"):
        write("eve")
    for _ in range(2):  # what was refused has not counted for the user
        write("eve", None)
    write("dan", "127.0.0.1")
    write("dan", now=10.0)


def test_what_fails_counts_for_neither() -> None:
    rate = ChatRate("comments", 1, 1)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"), rate.turn("stream", "ann", HOME, 0.0):
            raise ValueError("no")
    with rate.turn("stream", "ann", HOME, 0.0):
        pass
