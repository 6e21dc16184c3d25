"""STUN and TURN servers for clients."""

from __future__ import annotations

from webrtc.ice_server import IceServer, IceServers


def test_turn_gets_a_user_that_ends_and_the_password_that_the_secret_makes_of_it() -> None:
    # echo -n 1700086400 | openssl dgst -sha1 -hmac "north" -binary | base64
    servers = IceServers(["stun:a:3478", "turn:b:3478?transport=udp"], "north", lambda: 1_700_000_000.9)
    assert servers() == [
        IceServer("stun:a:3478"),
        IceServer("turn:b:3478?transport=udp", "1700086400", "K+RlgFj3QLvB7WAVHfjfgMgyBeA="),
    ]


def test_nothing_is_told_where_nothing_is_configured() -> None:
    assert IceServers([], "", lambda: 0.0)() == []
