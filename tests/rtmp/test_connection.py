from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.error import LocalStateError, PeerError
from media.packet import CLOCK_HZ, Packet, VideoTrack
from rtmp.amf import AmfValue
from rtmp.amf0 import EcmaArray, serialize_values
from rtmp.command import MAX_COMMAND_BYTES
from rtmp.event import Event, MetadataReceived, PublishEnded, PublishRequested
from rtmp.handshake import HTTP_ANSWER, PACKET_BYTES
from rtmp.limit import RtmpLimits
from rtmp.message import (
    ACKNOWLEDGEMENT,
    AGGREGATE,
    AUDIO,
    COMMAND_AMF3,
    DATA_AMF0,
    DATA_AMF3,
    USER_CONTROL,
    VIDEO,
    WINDOW_ACKNOWLEDGEMENT_SIZE,
)
from rtmp.metadata import MAX_METADATA_BYTES
from rtmp.session import MAX_MESSAGE_STREAMS, OUTPUT_CHUNK_SIZE, WINDOW_BYTES
from tests.rtmp.client import (
    AAC_HEADER,
    HELLO,
    IDR,
    SLICE,
    Client,
    Driver,
    audio_frame,
    avc_config,
    video_frame,
    video_header,
)

CONFIG = avc_config()


def publishing(limits: RtmpLimits | None = None, chunk_size: int = 128) -> tuple[Client, Driver]:
    client, driver = Client(chunk_size), Driver(limits)
    driver.feed(client.opening())
    return client, driver


def with_media() -> tuple[Client, Driver]:
    client, driver = publishing()
    driver.feed(client.video(video_header(CONFIG)), client.audio(AAC_HEADER))
    return client, driver


def packets(events: list[Event]) -> list[Packet]:
    return [event for event in events if isinstance(event, Packet)]


def names(driver: Driver) -> list[str]:
    return [command.name for command in driver.commands()]


class TestOpening:
    def test_what_obs_sends_is_answered(self) -> None:
        _, driver = publishing(chunk_size=4096)
        assert driver.events == [PublishRequested("live", "key", "", "FMLE/3.0")]
        assert names(driver) == ["_result", "_result", "_result", "onFCPublish", "_result", "onStatus"]
        assert [command.transaction_id for command in driver.commands()] == [1, 2, 3, 0, 4, 0]
        assert driver.commands()[4].argument(1) == 1.0
        assert driver.statuses() == [("NetStream.Publish.Start", "key is now published")]

    def test_control_messages_come_before_the_result(self) -> None:
        _, driver = publishing()
        head = "02000000 000004 05 00000000 002625a002000000 000005 06 00000000 002625a002"
        head += "02000000 000004 01 00000000 00001000"
        answers = driver.output[1 + 2 * PACKET_BYTES :]
        assert answers.startswith(bytes.fromhex(head))
        assert [message.type_id for message in driver.answers()[:3]] == [5, 6, 20]

    def test_byte_by_byte(self) -> None:
        driver = Driver()
        wire = Client().opening()
        driver.feed(*[wire[index : index + 1] for index in range(len(wire))])
        assert driver.events == [PublishRequested("live", "key", "", "FMLE/3.0")]

    @pytest.mark.parametrize(
        "parts", [("publish",), ("createStream", "publish"), ("publish", "releaseStream", "FCPublish")]
    )
    def test_commands_may_be_missing_or_out_of_order(self, parts: tuple[str, ...]) -> None:
        client, driver = Client(), Driver()
        texts = {
            name: client.command(name, 2, None, "key")
            for name in ("createStream", "releaseStream", "FCPublish")
        }
        texts["publish"] = client.publish()
        driver.feed(HELLO, client.connect(), *[texts[name] for name in parts])
        assert driver.events == [PublishRequested("live", "key", "", "FMLE/3.0")]
        assert driver.statuses()[0][0] == "NetStream.Publish.Start"

    @pytest.mark.parametrize("arguments", [(), (None,), (None, None), ({}, 1.0)])
    def test_arguments_may_be_missing_or_null(self, arguments: tuple[AmfValue, ...]) -> None:
        client, driver = Client(), Driver()
        commands = [
            client.command(name, 2, *arguments) for name in ("releaseStream", "FCPublish", "createStream")
        ]
        driver.feed(HELLO, client.connect(), *commands)
        assert names(driver) == ["_result", "_result", "_result", "onFCPublish", "_result"]

    @pytest.mark.parametrize("kind", [(), ("live",), ("record",), (None,)])
    def test_publish_with_or_without_type(self, kind: tuple[AmfValue, ...]) -> None:
        client, driver = Client(), Driver()
        driver.feed(HELLO, client.connect(), client.publish("key?a=b", *kind))
        assert driver.events == [PublishRequested("live", "key", "a=b", "FMLE/3.0")]

    def test_key_may_stand_in_the_address(self) -> None:
        client, driver = Client(), Driver()
        driver.feed(HELLO, client.connect("live/key?a=b"), client.publish(None))
        assert driver.events == [PublishRequested("live", "key", "a=b", "FMLE/3.0")]

    def test_calls_that_are_not_known_are_answered(self) -> None:
        client, driver = Client(), Driver()
        driver.feed(
            HELLO, client.connect(), client.command("_checkbw", 7, None), client.command("getStreamLength", 8)
        )
        assert [(command.name, command.transaction_id) for command in driver.commands()[1:]] == [
            ("_result", 7),
            ("_result", 8),
        ]

    def test_notifications_and_answers_are_not(self) -> None:
        client, driver = Client(), Driver()
        unknown = [client.command(name, 0, None) for name in ("onBWDone", "_result", "_error", "onStatus")]
        driver.feed(HELLO, client.connect(), *unknown, client.command("_result", 9, None))
        assert names(driver) == ["_result"]

    def test_amf3_commands_have_a_zero_in_front(self) -> None:
        client, driver = Client(), Driver()
        body = b"\x00" + serialize_values(["connect", 1.0, {"app": "live"}])
        driver.feed(HELLO, client.message(COMMAND_AMF3, body), client.publish())
        assert driver.events == [PublishRequested("live", "key", "", "")]

    @pytest.mark.parametrize("zero", [b"\x00", b""])
    @pytest.mark.parametrize(
        "body",
        [
            serialize_values(["connect", 1.0, {"app": "live"}]),
            # Flash: the name and the number in AMF 0, the object behind a switch to AMF 3.
            serialize_values(["connect", 1.0]) + bytes.fromhex("11 0a 0b 01 07 617070 06 09 6c697665 01"),
            # Written in AMF 3 throughout.
            bytes.fromhex("06 0f 636f6e6e656374 04 01 0a 0b 01 07 617070 06 09 6c697665 01"),
        ],
        ids=["AMF 0", "switch", "AMF 3"],
    )
    def test_amf3_commands_hold_either_format(self, zero: bytes, body: bytes) -> None:
        client, driver = Client(), Driver()
        driver.feed(HELLO, client.message(COMMAND_AMF3, zero + body), client.publish())
        assert driver.events == [PublishRequested("live", "key", "", "")]
        assert driver.commands()[0].transaction_id == 1.0

    @pytest.mark.parametrize(
        ("first", "key"),
        [
            ("live?authmod=adobe&user=u", "key"),
            ("live?authmod=adobe&user=u&challenge=c&response=r&opaque=o", "key"),
            ("live", "key pubUser=u pubPasswd=p"),
        ],
    )
    def test_adobe_authentication_is_never_asked_for(self, first: str, key: str) -> None:
        client, driver = Client(), Driver()
        driver.feed(HELLO, client.connect(first), client.publish(key, "live"))
        assert driver.events == [PublishRequested("live", "key", "", "FMLE/3.0")]
        assert "_error" not in names(driver)

    def test_streams_are_bounded(self) -> None:
        client, driver = Client(), Driver()
        create = [client.command("createStream", 2 + index, None) for index in range(MAX_MESSAGE_STREAMS + 1)]
        driver.feed(HELLO, client.connect(), *create)
        assert [command.name for command in driver.commands()[1:]] == ["_result"] * MAX_MESSAGE_STREAMS + [
            "_error"
        ]

    def test_nothing_is_parsed_before_the_request_is_answered(self) -> None:
        client, driver = Client(), Driver(accept=False)
        header = client.opening() + client.video(video_header(CONFIG)) + client.video(video_frame(IDR))
        assert len(driver.feed(header)) == 1
        assert driver.connection.get_timer() is None
        driver.connection.accept_publish(driver.now)
        assert len(packets(driver.feed(b""))) == 1


class TestRefusals:
    def test_reason_reaches_the_encoder(self) -> None:
        client, driver = Client(), Driver(accept=False)
        driver.feed(client.opening())
        driver.connection.reject_publish("this stream key is not known")
        driver.feed(b"", client.video(video_frame(IDR)))
        assert driver.statuses() == [("NetStream.Publish.BadName", "this stream key is not known")]
        assert driver.answers()[-1].stream_id == 1
        assert driver.connection.get_timer() is None

    def test_answers_without_a_question_are_a_bug(self) -> None:
        _, driver = publishing()
        with pytest.raises(LocalStateError):
            driver.connection.accept_publish(driver.now)
        with pytest.raises(LocalStateError):
            driver.connection.reject_publish("no")

    def test_kick(self) -> None:
        _, driver = publishing()
        driver.connection.close_with("NetStream.Publish.Rejected", "another encoder took over")
        driver.connection.close_with("NetStream.Publish.Rejected", "said once only")
        driver.feed(b"")
        assert driver.statuses()[1:] == [("NetStream.Publish.Rejected", "another encoder took over")]

    @pytest.mark.parametrize(
        ("payload", "words"),
        [
            (b"\x90vvc1", "VVC over Enhanced RTMP is not supported"),
            (b"\x17\x01\0\0\0\0\0\0\x09\x65", "cut short"),
        ],
    )
    def test_bad_media_ends_the_connection_with_words(self, payload: bytes, words: str) -> None:
        client, driver = with_media()
        assert words in driver.fails(client.video(payload))
        assert words in driver.statuses()[-1][1]
        assert driver.feed(client.video(video_frame(IDR))) == []

    def test_too_high_a_bitrate_is_refused_with_the_remedy(self) -> None:
        client, driver = publishing(RtmpLimits(max_bitrate_bps=1e6, bitrate_window_s=1))
        words = driver.fails(client.video(video_frame(IDR + bytes(125_000))))
        assert words == "the stream has more than 1 Mbit/s: lower the bitrate of the encoder"
        assert driver.statuses()[-1] == ("NetStream.Publish.Rejected", words)

    def test_second_name_is_refused_and_the_same_is_not(self) -> None:
        client, driver = publishing()
        driver.feed(client.publish("key"))
        assert [code for code, _ in driver.statuses()] == ["NetStream.Publish.Start"] * 2
        assert "one publication" in driver.fails(client.publish("other"))

    def test_play_is_refused_with_the_way_out(self) -> None:
        client, driver = Client(), Driver()
        assert "HLS" in driver.fails(
            HELLO, client.connect(), client.command("play", 0, None, "key", stream_id=1)
        )
        assert driver.statuses()[-1][0] == "NetStream.Play.Failed"

    @pytest.mark.parametrize(
        ("name", "payload", "words"),
        [
            ("no name", b"\x05", "without a name"),
            ("empty", b"", "without a name"),
            ("cut", b"\x02\x00\x07conn", "cut short"),
            ("too large", b"\x02" + bytes(MAX_COMMAND_BYTES), "command of"),
        ],
    )
    def test_bad_command(self, name: str, payload: bytes, words: str) -> None:
        client, driver = Client(), Driver()
        assert words in driver.fails(HELLO, client.message(20, payload))

    def test_http_is_answered_in_http(self) -> None:
        driver = Driver()
        assert "HTTP" in driver.fails(b"GET / HTTP/1.1\r\n\r\n")
        assert driver.output == HTTP_ANSWER
        assert driver.feed(b"more") == []


class TestMedia:
    def test_packets_of_both_kinds(self) -> None:
        client, driver = with_media()
        events = driver.feed(
            client.video(video_frame(IDR), 0),
            client.audio(audio_frame(), 10),
            client.video(video_frame(SLICE), 40),
        )
        assert [(packet.is_video, packet.dts) for packet in packets(events)] == [
            (True, 0),
            (False, 900),
            (True, 3600),
        ]

    def test_media_before_the_publish_is_ignored(self) -> None:
        client, driver = Client(), Driver()
        assert (
            driver.feed(
                HELLO, client.connect(), client.video(video_header(CONFIG)), client.audio(b"\x2f\x00")
            )
            == []
        )

    @pytest.mark.parametrize("start", [0xFFFFFF - 40, 0xFFFFFFFF - 40])
    def test_times_go_on_over_the_extension_and_the_roll_over(self, start: int) -> None:
        client, driver = with_media()
        times = [start, start + 40, start + 80]
        events = driver.feed(*[client.video(video_frame(SLICE), time) for time in times])
        assert [packet.dts for packet in packets(events)] == [time * 90 for time in times]

    def test_audio_and_video_roll_over_together(self) -> None:
        client, driver = with_media()
        events = driver.feed(
            client.video(video_frame(IDR), 0xFFFFFFF0),
            client.audio(audio_frame(), 0x10),
            client.video(video_frame(SLICE), 0xFFFFFFFF),
            client.audio(audio_frame(), 0x30),
        )
        assert [packet.dts // 90 - 0xFFFFFFF0 for packet in packets(events)] == [0, 32, 15, 64]
        assert CLOCK_HZ == 90_000

    def test_aggregate_is_taken_apart(self) -> None:
        client, driver = with_media()
        body = b""
        for type_id, time, payload in (
            (VIDEO, 500, video_frame(IDR)),
            (AUDIO, 510, audio_frame()),
            (22, 520, b""),
        ):
            body += bytes([type_id]) + len(payload).to_bytes(3, "big") + time.to_bytes(3, "big") + bytes(4)
            body += payload + (11 + len(payload)).to_bytes(4, "big")
        events = driver.feed(client.message(AGGREGATE, body, 1000))
        assert [packet.dts // 90 for packet in packets(events)] == [1000, 1010]
        assert "aggregate message is cut short" in driver.fails(client.message(AGGREGATE, body[:20], 2000))

    @pytest.mark.parametrize("prefix", [[], ["@setDataFrame"]])
    @pytest.mark.parametrize("kind", [dict, EcmaArray])
    @pytest.mark.parametrize("type_id", [18, DATA_AMF3])
    def test_metadata(self, prefix: list[AmfValue], kind: type[dict[str, AmfValue]], type_id: int) -> None:
        client, driver = publishing()
        members = kind(videodatarate=2500.0, audiodatarate=128.0, encoder="OBS")
        assert driver.feed(client.data(*prefix, "onMetaData", members, type_id=type_id)) == [
            MetadataReceived(members)
        ]
        driver.feed(client.video(video_header(CONFIG)))
        (packet,) = packets(driver.feed(client.video(video_frame(IDR))))
        assert isinstance(packet.track, VideoTrack)
        assert packet.track.bitrate_bps == 2_500_000

    def test_metadata_in_amf3(self) -> None:
        client, driver = publishing()
        name, members = bytes.fromhex("02000a") + b"onMetaData", bytes.fromhex("11 0a 0b 01 03 61 03 01")
        assert driver.feed(client.message(DATA_AMF3, b"\x00" + name + members)) == [
            MetadataReceived({"a": True})
        ]

    @pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e12, "2500", None, True])
    def test_absurd_bitrates_are_not_taken(self, value: AmfValue) -> None:
        client, driver = publishing()
        driver.feed(client.data("onMetaData", {"videodatarate": value}), client.video(video_header(CONFIG)))
        (packet,) = packets(driver.feed(client.video(video_frame(IDR))))
        assert packet.track.bitrate_bps is None

    def test_late_metadata_makes_no_other_track(self) -> None:
        client, driver = with_media()
        (first,) = packets(driver.feed(client.video(video_frame(IDR))))
        driver.feed(client.data("onMetaData", {"videodatarate": 9.0}), client.video(video_header(CONFIG)))
        (second,) = packets(driver.feed(client.video(video_frame(SLICE))))
        assert second.track is first.track

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            bytes(4),
            b"\x02\xff",
            b"\x02\x00\x01a",
            b"\x02" + bytes(MAX_METADATA_BYTES),
            serialize_values(["onMetaData"]),
        ],
    )
    @pytest.mark.parametrize("type_id", [DATA_AMF0, DATA_AMF3])
    def test_other_data_is_ignored(self, payload: bytes, type_id: int) -> None:
        client, driver = publishing(chunk_size=4096)
        assert driver.feed(client.message(type_id, payload)) == []


class TestEnd:
    @pytest.mark.parametrize(
        "order",
        [
            ("FCUnpublish", "deleteStream"),
            ("deleteStream", "FCUnpublish"),
            ("closeStream", "FCUnpublish", "deleteStream"),
            ("deleteStream",),
        ],
    )
    def test_ends_once_in_any_order(self, order: tuple[str, ...]) -> None:
        client, driver = with_media()
        texts = {
            "FCUnpublish": client.command("FCUnpublish", 6, None, "key"),
            "deleteStream": client.command("deleteStream", 7, None, 1),
            "closeStream": client.command("closeStream", 0, None, stream_id=1),
        }
        events = driver.feed(*[texts[name] for name in order], client.video(video_frame(IDR)))
        assert events == [PublishEnded()]
        assert [code for code, _ in driver.statuses()] == [
            "NetStream.Publish.Start",
            "NetStream.Unpublish.Success",
        ]

    def test_deleting_another_stream_ends_nothing(self) -> None:
        client, driver = with_media()
        assert driver.feed(client.command("deleteStream", 7, None, 2)) == []

    def test_publishing_again_starts_afresh(self) -> None:
        client, driver = with_media()
        driver.feed(client.command("FCUnpublish", 6, None, "key"))
        assert driver.feed(client.publish("second")) == [PublishRequested("live", "second", "", "FMLE/3.0")]
        assert driver.feed(client.video(video_frame(IDR))) == []
        driver.feed(client.video(video_header(CONFIG)))
        assert len(packets(driver.feed(client.video(video_frame(IDR), 5)))) == 1


class TestReconnectRequest:
    def driver(self, caps_ex: float | None) -> Driver:
        client, driver = Client(), Driver()
        members: dict[str, AmfValue] = {} if caps_ex is None else {"capsEx": caps_ex}
        driver.feed(HELLO, client.connect("live", **members), client.publish())
        return driver

    def test_encoder_that_understands_is_asked(self) -> None:
        driver = self.driver(1.0)
        assert driver.connection.request_reconnect("the server is shutting down")
        driver.feed(b"")
        assert driver.statuses()[1:] == [
            ("NetConnection.Connect.ReconnectRequest", "the server is shutting down")
        ]
        (*_, answer) = driver.answers()
        information = driver.commands()[-1].argument(1)
        assert answer.stream_id == 0
        assert isinstance(information, dict)
        assert information["level"] == "status"

    @pytest.mark.parametrize("caps_ex", [None, 0.0, 14.0])
    def test_encoder_that_does_not_is_not(self, caps_ex: float | None) -> None:
        driver = self.driver(caps_ex)
        assert not driver.connection.request_reconnect("now")
        driver.feed(b"")
        assert len(driver.statuses()) == 1

    def test_nobody_is_asked_who_does_not_publish(self) -> None:
        driver = Driver()
        driver.feed(HELLO, Client().connect(capsEx=1.0))
        assert not driver.connection.request_reconnect("now")


class TestControl:
    def test_ping_is_answered(self) -> None:
        client, driver = publishing()
        driver.feed(client.message(USER_CONTROL, b"\x00\x06\x01\x02\x03\x04"))
        last = driver.answers()[-1]
        assert (last.type_id, last.payload) == (USER_CONTROL, b"\x00\x07\x01\x02\x03\x04")

    def test_ping_of_librtmp_on_a_fresh_stream(self) -> None:
        _, driver = publishing()
        driver.feed(bytes.fromhex("42000000 000006 04 0006 00000001"))
        assert driver.answers()[-1].payload == b"\x00\x07\x00\x00\x00\x01"

    @pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x03\0\0\0\1\0\0\x0b\xb8", b"\x00\x1f"])
    def test_other_events_are_ignored(self, payload: bytes) -> None:
        client, driver = publishing()
        count = len(driver.answers())
        assert driver.feed(client.message(USER_CONTROL, payload)) == []
        assert len(driver.answers()) == count

    def test_message_types_that_are_not_known_are_ignored(self) -> None:
        client, driver = with_media()
        assert (
            driver.feed(*[client.message(type_id, b"abcd") for type_id in (0, 3, 6, 7, 16, 19, 99, 255)])
            == []
        )

    def test_bytes_are_acknowledged_by_the_window(self) -> None:
        client, driver = with_media()
        sent = len(driver.output)
        assert sent
        total = len(client.opening())
        driver.feed(client.message(WINDOW_ACKNOWLEDGEMENT_SIZE, (1000).to_bytes(4, "big"), chunk_stream_id=2))
        driver.feed(client.video(video_frame(IDR + bytes(2000))))
        acknowledged = [message for message in driver.answers() if message.type_id == ACKNOWLEDGEMENT]
        assert len(acknowledged) == 1
        assert int.from_bytes(acknowledged[0].payload, "big") > total + 2000

    def test_window_is_ours_until_the_peer_names_one(self) -> None:
        client, driver = with_media()
        frame = client.video(video_frame(IDR + bytes(100_000)))
        driver.feed(*[frame] * (WINDOW_BYTES // len(frame)))
        assert ACKNOWLEDGEMENT not in [message.type_id for message in driver.answers()]
        driver.feed(frame)
        assert ACKNOWLEDGEMENT in [message.type_id for message in driver.answers()]

    def test_our_answers_fit_one_chunk(self) -> None:
        _, driver = publishing()
        assert all(len(message.payload) < OUTPUT_CHUNK_SIZE for message in driver.answers())


class TestTime:
    LIMITS = RtmpLimits(handshake_timeout_s=1, publish_timeout_s=2, first_media_timeout_s=3, idle_timeout_s=4)

    def expire(self, driver: Driver, after_s: float) -> str:
        """Move time to just before the timer and on it; return the complaint."""
        assert driver.connection.get_timer() == driver.now + after_s
        driver.connection.handle_timer(driver.now + after_s - 0.01)
        with pytest.raises(PeerError) as caught:
            driver.connection.handle_timer(driver.now + after_s)
        driver.feed(b"")
        assert driver.connection.get_timer() is None
        return str(caught.value)

    def test_handshake(self) -> None:
        driver = Driver(self.LIMITS)
        driver.now += 0.5
        driver.feed(b"\x03" + bytes(PACKET_BYTES))
        driver.now -= 0.5
        assert self.expire(driver, 1) == "no RTMP handshake within 1 s"
        assert len(driver.output) == 1 + 2 * PACKET_BYTES

    def test_publish(self) -> None:
        driver = Driver(self.LIMITS)
        driver.now += 1
        driver.feed(HELLO, Client().connect())
        assert self.expire(driver, 2) == "no publish within 2 s"
        assert driver.statuses() == [("NetConnection.Connect.Closed", "no publish within 2 s")]

    def test_first_media(self) -> None:
        client, driver = publishing(self.LIMITS)
        driver.feed(client.video(video_header(CONFIG)), client.data("onMetaData", {}))
        assert self.expire(driver, 3) == "no audio or video after the publish within 3 s"

    def test_silence(self) -> None:
        client, driver = publishing(self.LIMITS)
        driver.now += 2
        driver.feed(client.audio(AAC_HEADER), client.audio(audio_frame()))
        driver.connection.extend_timer(5)
        driver.now += 5
        assert self.expire(driver, 4) == "no audio or video within 4 s"

    def test_publish_again(self) -> None:
        client, driver = publishing(self.LIMITS)
        driver.now += 1
        driver.feed(client.command("FCUnpublish", 6, None, "key"))
        assert self.expire(driver, 2) == "no publish within 2 s"


SEEDS = Client()
OPENING = SEEDS.opening()
MEDIA = b"".join(
    [
        SEEDS.data("@setDataFrame", "onMetaData", {"videodatarate": 1.0}),
        SEEDS.video(video_header(CONFIG)),
        SEEDS.audio(AAC_HEADER),
        SEEDS.video(video_frame(IDR)),
        SEEDS.audio(audio_frame()),
        SEEDS.message(AGGREGATE, b"\x09" + bytes(2) + b"\x05" + bytes(7) + b"\x27\x02\0\0\0" + bytes(4)),
        SEEDS.command("FCUnpublish", 6, None, "key"),
    ]
)


@settings(max_examples=200)
@given(st.binary(max_size=400), st.booleans())
def test_only_peer_errors_leave_the_core(data: bytes, is_shaken: bool) -> None:
    with contextlib.suppress(PeerError):
        Driver().feed(HELLO if is_shaken else b"", data)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, len(OPENING + MEDIA) - 1), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_only_peer_errors_leave_the_core_when_a_session_is_damaged(damage: list[tuple[int, int]]) -> None:
    wire = bytearray(OPENING + MEDIA)
    for position, value in damage:
        wire[len(HELLO) + position % (len(wire) - len(HELLO))] = value
    with contextlib.suppress(PeerError):
        Driver().feed(bytes(wire))


@settings(max_examples=200)
@given(st.sampled_from([4, 5, 8, 9, 15, 17, 18, 20, 22]), st.binary(max_size=60), st.integers(0, 0xFFFFFFFF))
def test_only_peer_errors_leave_the_core_whatever_a_message_holds(
    type_id: int, payload: bytes, time_ms: int
) -> None:
    client, driver = Client(), Driver()
    driver.feed(OPENING, client.video(video_header(CONFIG)), client.audio(AAC_HEADER))
    head = b"\x17\x01\0\0\0" if type_id == VIDEO else b""
    with contextlib.suppress(PeerError):
        driver.feed(client.message(type_id, head + payload, time_ms))
