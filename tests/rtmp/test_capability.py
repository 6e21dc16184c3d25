from __future__ import annotations

import pytest

from rtmp.amf import AmfValue
from rtmp.capability import CapsEx, ClientCapabilities, read_capabilities
from rtmp.session import OUTPUT_CHUNK_SIZE
from tests.rtmp.client import HELLO, Client, Driver


@pytest.mark.parametrize(
    ("name", "members", "expected"),
    [
        ("nobody", None, ClientCapabilities()),
        ("old client", {"app": "live", "videoCodecs": 252.0}, ClientCapabilities()),
        ("version 1", {"fourCcList": ["av01", "vp09", "hvc1"]}, ClientCapabilities(is_enhanced=True)),
        ("video map", {"videoFourCcInfoMap": {"*": 4.0}}, ClientCapabilities(is_enhanced=True)),
        ("audio map", {"audioFourCcInfoMap": {"Opus": 2.0}}, ClientCapabilities(is_enhanced=True)),
        ("all bits", {"capsEx": 15.0}, ClientCapabilities(True, 15)),
        ("bits of tomorrow", {"capsEx": 4097.0}, ClientCapabilities(True, CapsEx.RECONNECT)),
        ("negative", {"capsEx": -1.0}, ClientCapabilities(True, 15)),
        ("not a number", {"capsEx": float("nan")}, ClientCapabilities(True)),
        ("infinite", {"capsEx": float("inf")}, ClientCapabilities(True)),
        ("text", {"capsEx": "3"}, ClientCapabilities(True)),
    ],
)
def test_client_is_understood(name: str, members: AmfValue, expected: ClientCapabilities) -> None:
    assert read_capabilities(members) == expected


def connect(**members: AmfValue) -> tuple[AmfValue, AmfValue]:
    """Connect; return the two objects of the answer."""
    driver = Driver()
    driver.feed(HELLO, Client().connect("live", **members))
    (answer,) = driver.commands()
    assert answer.name == "_result"
    return answer.argument(0), answer.argument(1)


@pytest.mark.parametrize("members", [{"fourCcList": ["hvc1"]}, {"capsEx": 0.0}])
def test_enhanced_client_is_told_what_is_taken(members: dict[str, AmfValue]) -> None:
    for place in connect(**members):
        assert isinstance(place, dict)
        video, audio = place["videoFourCcInfoMap"], place["audioFourCcInfoMap"]
        assert isinstance(video, dict)
        assert isinstance(audio, dict)
        assert list(video) == ["avc1", "hvc1", "av01", "vp09"]
        assert list(audio) == ["mp4a", "Opus", ".mp3", "fLaC", "ac-3", "ec-3"]
        assert place["fourCcList"] == [*video, *audio]
        assert place["capsEx"] == 15.0


def test_answer_fits_one_chunk() -> None:
    driver = Driver()
    driver.feed(HELLO, Client().connect(capsEx=1.0))
    assert len(driver.answers()[-1].payload) < OUTPUT_CHUNK_SIZE


def test_old_client_gets_the_old_answer() -> None:
    properties, information = connect()
    assert properties == {"fmsVer": "FMS/3,0,1,123", "capabilities": 31.0}
    assert information == {
        "level": "status",
        "code": "NetConnection.Connect.Success",
        "description": "Connection succeeded.",
        "objectEncoding": 0.0,
    }


@pytest.mark.parametrize(("asked", "answered"), [(0.0, 0.0), (3.0, 3.0), (1.0, 0.0), ("3", 0.0)])
def test_object_encoding_is_answered_as_asked(asked: AmfValue, answered: float) -> None:
    _, information = connect(objectEncoding=asked)
    assert isinstance(information, dict)
    assert information["objectEncoding"] == answered
