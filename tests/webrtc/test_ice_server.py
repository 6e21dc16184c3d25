from __future__ import annotations

import base64
import hashlib
import hmac

from webrtc.ice_server import IceServer, link_values, with_temporary_credentials

TURN = IceServer(("turn:turn.example.org", "turns:turn.example.org:443?transport=tcp"), "user", "pass")


def test_a_link_for_each_address() -> None:
    tail = '; rel="ice-server"; username="user"; credential="pass"; credential-type="password"'
    assert link_values(TURN) == [
        f"<turn:turn.example.org>{tail}",
        f"<turns:turn.example.org:443?transport=tcp>{tail}",
    ]
    assert link_values(TURN, has_secrets=False)[0] == '<turn:turn.example.org>; rel="ice-server"'


def test_credentials_that_coturn_can_check() -> None:
    server = with_temporary_credentials(TURN, "north", "viewer", 1_700_000_000)
    assert server.username == "1700000000:viewer"
    expected = hmac.new(b"north", b"1700000000:viewer", hashlib.sha1).digest()
    assert base64.b64decode(server.credential) == expected
