from __future__ import annotations

import pytest

from rtmp.address import MAX_ENCODER_NAME, ConnectAddress, PublishAddress, publish_address, read_connect
from rtmp.amf import AmfValue
from rtmp.amf0 import EcmaArray


@pytest.mark.parametrize(
    ("name", "members", "expected"),
    [
        (
            "OBS",
            {"app": "live", "flashVer": "FMLE/3.0", "tcUrl": "rtmp://h/live"},
            ConnectAddress("live", "", "FMLE/3.0"),
        ),
        ("array", EcmaArray(app="live"), ConnectAddress("live")),
        ("slashes", {"app": "/live/"}, ConnectAddress("live")),
        ("instance", {"app": "app/inst"}, ConnectAddress("app/inst")),
        ("query", {"app": "live?token=a&b=c"}, ConnectAddress("live", "token=a&b=c")),
        ("address only", {"tcUrl": "rtmp://h:1935/live/x?a=b"}, ConnectAddress("live/x", "a=b")),
        ("quoted address in lower case", {"tcurl": "'rtmp://h/live'"}, ConnectAddress("live")),
        ("empty application", {"app": "", "tcUrl": "rtmp://h/live"}, ConnectAddress("live")),
        ("unusable address", {"tcUrl": "rtmp://[h/live"}, ConnectAddress()),
        (
            "authmod",
            {"app": "live?authmod=adobe&user=u&token=x&challenge=c&response=r&opaque=o"},
            ConnectAddress("live", "token=x"),
        ),
        ("user without authmod", {"app": "live?user=u"}, ConnectAddress("live", "user=u")),
        ("numbers", {"app": 1.0}, ConnectAddress()),
        ("nothing", None, ConnectAddress()),
    ],
)
def test_connect(name: str, members: AmfValue, expected: ConnectAddress) -> None:
    assert read_connect(members) == expected


@pytest.mark.parametrize(
    ("name", "connect", "stream", "expected"),
    [
        ("plain", ConnectAddress("live"), "key", PublishAddress("live", "key", "")),
        (
            "query on the key",
            ConnectAddress("live"),
            "key?token=a%20b",
            PublishAddress("live", "key", "token=a%20b"),
        ),
        (
            "queries on both",
            ConnectAddress("live", "x=1"),
            "key?y=2",
            PublishAddress("live", "key", "x=1&y=2"),
        ),
        ("key in the address", ConnectAddress("live/key"), "", PublishAddress("live", "key", "")),
        (
            "key in the address, query",
            ConnectAddress("live/key", "a=b"),
            "",
            PublishAddress("live", "key", "a=b"),
        ),
        ("address is the key", ConnectAddress("key"), "", PublishAddress("", "key", "")),
        ("nothing at all", ConnectAddress(), "", PublishAddress("", "", "")),
        ("instance", ConnectAddress("app/inst"), "key", PublishAddress("app/inst", "key", "")),
        (
            "authmod on the key",
            ConnectAddress("live"),
            "key?authmod=llnw&user=u&a=b",
            PublishAddress("live", "key", "a=b"),
        ),
        (
            "options of librtmp",
            ConnectAddress("live"),
            "key pubUser=u pubPasswd=p",
            PublishAddress("live", "key", ""),
        ),
        ("space in a value", ConnectAddress("live"), "key?a=b c", PublishAddress("live", "key", "a=b c")),
        ("slash before the key", ConnectAddress("live"), "/key", PublishAddress("live", "key", "")),
        ("path as key", ConnectAddress("live"), "a/b", PublishAddress("live", "a/b", "")),
    ],
)
def test_publish(name: str, connect: ConnectAddress, stream: str, expected: PublishAddress) -> None:
    assert publish_address(connect, stream) == expected


@pytest.mark.parametrize(("said", "name"), [("x" * 60_000, "x" * MAX_ENCODER_NAME), ("FMLE/3.0\n[fake]", "")])
def test_name_of_the_encoder_is_fit_for_a_log(said: str, name: str) -> None:
    assert read_connect({"app": "live", "flashVer": said}).encoder == name
