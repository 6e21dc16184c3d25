"""The cases of the Autobahn test suite (1 to 7, 9 and 10), for an endpoint that is no echo.

That suite runs on Python 2 only, so its cases are written here again, with its numbers. What stands for an echo is the
contract's `ping`, padded with the blanks that JSON allows to the length that a case wants: its `ack` gives back the
`ref`. Binary messages and those that are no message of the contract get an `error`, and the connection stays. Cases
with messages of 64 KiB and more end with 1009: by design this endpoint takes no long ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .frame import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, text
from .utf8 import GREEK, SEQUENCES

LARGE = 1 << 16
ANY_REF = "*"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is sent, and what has to come back."""

    number: str
    sent: Sequence[Frame | bytes]
    acks: tuple[str, ...] = ()
    """References, in order; `ANY_REF`: an `ack` or an `error`."""
    errors: int = 0
    pongs: tuple[bytes, ...] = ()
    ends: tuple[int, ...] = ()
    """Codes that the server may close with by itself or in answer to a close; none: it stays open."""
    chop: int = 0
    """Bytes that are written at a time; 0: all at once."""


def ping(ref: str = "x", size: int = 0) -> bytes:
    """Write a message that is acknowledged, as long as it shall be."""
    return json.dumps({"type": "ping", "ref": ref}, ensure_ascii=False).encode().ljust(size)


def pieces(payload: bytes, *cuts: int, opcode: int = TEXT) -> list[Frame]:
    """Cut a message into fragments."""
    edges = list(pairwise((0, *cuts, len(payload))))
    return [
        Frame(CONTINUATION if begin else opcode, payload[begin:end], end == len(payload) and number == len(edges))
        for number, (begin, end) in enumerate(edges, 1)
    ]  # fmt: skip


def evenly(payload: bytes, size: int, opcode: int = TEXT) -> list[Frame]:
    """Cut a message into fragments of a size."""
    return pieces(payload, *range(size, len(payload), size), opcode=opcode)


def _framing() -> list[Scenario]:
    sizes = (125, 126, 127, 128)
    found = [Scenario("1.1.1", [text(b"")], errors=1)]
    found += [Scenario(f"1.1.{n}", [text(ping(size=size))], ("x",)) for n, size in enumerate(sizes, 2)]
    found += [
        Scenario("1.1.6", [text(ping(size=LARGE - 1))], ends=(1009,)),
        Scenario("1.1.7", [text(ping(size=LARGE))], ends=(1009,)),
        Scenario("1.1.8", [text(ping(size=LARGE))], ends=(1009,), chop=997),
        Scenario("1.2.1", [Frame(BINARY)], errors=1),
    ]
    found += [
        Scenario(f"1.2.{n}", [Frame(BINARY, b"\xfe" * size)], errors=1) for n, size in enumerate(sizes, 2)
    ]
    found += [
        Scenario("1.2.6", [Frame(BINARY, b"\xfe" * (LARGE - 1))], ends=(1009,)),
        Scenario("1.2.7", [Frame(BINARY, b"\xfe" * LARGE)], ends=(1009,)),
        Scenario("1.2.8", [Frame(BINARY, b"\xfe" * LARGE)], ends=(1009,), chop=997),
    ]
    return found


def _pings() -> list[Scenario]:
    many = [b"payload-%d" % number for number in range(10)]
    return [
        Scenario("2.1", [Frame(PING)], pongs=(b"",)),
        Scenario("2.2", [Frame(PING, b"Hello, world!")], pongs=(b"Hello, world!",)),
        Scenario(
            "2.3",
            [Frame(PING, bytes.fromhex("00fffefdfcfb00ff"))],
            pongs=(bytes.fromhex("00fffefdfcfb00ff"),),
        ),
        Scenario("2.4", [Frame(PING, b"\xfe" * 125)], pongs=(b"\xfe" * 125,)),
        Scenario("2.5", [Frame(PING, b"\xfe" * 126)], ends=(1002,)),
        Scenario("2.6", [Frame(PING, b"\xfe" * 125)], pongs=(b"\xfe" * 125,), chop=1),
        Scenario("2.7", [Frame(PONG)]),
        Scenario("2.8", [Frame(PONG, b"unsolicited pong payload")]),
        Scenario(
            "2.9", [Frame(PONG, b"unsolicited"), Frame(PING, b"ping payload")], pongs=(b"ping payload",)
        ),
        Scenario("2.10", [Frame(PING, payload) for payload in many], pongs=tuple(many)),
        Scenario("2.11", [Frame(PING, payload) for payload in many], pongs=tuple(many), chop=1),
    ]


def _reserved_bits() -> list[Scenario]:
    good, after = text(ping("good")), Frame(PING, b"after")
    return [
        Scenario("3.1", [text(ping(), reserved=1)], ends=(1002,)),
        Scenario("3.2", [good, text(ping(), reserved=2), after], ("good",), ends=(1002,)),
        Scenario("3.3", [good, text(ping(), reserved=3), after], ("good",), ends=(1002,), chop=50),
        Scenario("3.4", [good, text(ping(), reserved=4), after], ("good",), ends=(1002,), chop=1),
        Scenario("3.5", [Frame(BINARY, b"\xff" * 8, reserved=5)], ends=(1002,)),
        Scenario("3.6", [Frame(PING, b"\xff" * 8, reserved=6)], ends=(1002,)),
        Scenario("3.7", [Frame(CLOSE, reserved=7)], ends=(1002,)),
        Scenario("3.1 a compressed one", [text(ping(), reserved=4)], ends=(1002,)),
    ]


def _reserved_opcodes() -> list[Scenario]:
    good, after = text(ping("good")), Frame(PING, b"after")
    found = []
    for group, first in ((1, 3), (2, 11)):
        bad = [Frame(first), Frame(first + 1, b"reserved opcode payload"), Frame(first + 2),
               Frame(first + 3, b"reserved opcode payload"), Frame(first + 4)]  # fmt: skip
        found += [
            Scenario(f"4.{group}.1", [bad[0]], ends=(1002,)),
            Scenario(f"4.{group}.2", [bad[1]], ends=(1002,)),
            Scenario(f"4.{group}.3", [good, bad[2], after], ("good",), ends=(1002,)),
            Scenario(f"4.{group}.4", [good, bad[3], after], ("good",), ends=(1002,)),
            Scenario(f"4.{group}.5", [good, bad[4], after], ("good",), ends=(1002,), chop=1),
        ]
    return found


def _fragments() -> list[Scenario]:
    whole, cut = text(ping("whole")), pieces(ping("cut"), 9)
    stray = Frame(CONTINUATION, b"not a continuation")
    begun = Frame(CONTINUATION, b"fragment", is_last=False)
    between, middle = Frame(PING, b"between"), pieces(ping("cut"), 5, 10, 15, 20)
    protocol = (1002,)
    return [
        Scenario("5.1", [Frame(PING, b"frag", is_last=False), Frame(CONTINUATION, b"ment")], ends=protocol),
        Scenario("5.2", [Frame(PONG, b"frag", is_last=False), Frame(CONTINUATION, b"ment")], ends=protocol),
        Scenario("5.3", cut, ("cut",)),
        Scenario("5.4", cut, ("cut",), chop=10),
        Scenario("5.5", cut, ("cut",), chop=1),
        Scenario("5.6", [cut[0], between, cut[1]], ("cut",), pongs=(b"between",)),
        Scenario("5.7", [cut[0], between, cut[1]], ("cut",), pongs=(b"between",), chop=10),
        Scenario("5.8", [cut[0], between, cut[1]], ("cut",), pongs=(b"between",), chop=1),
        Scenario("5.9", [stray, whole], ends=protocol),
        Scenario("5.10", [stray, whole], ends=protocol, chop=10),
        Scenario("5.11", [stray, whole], ends=protocol, chop=1),
        Scenario("5.12", [begun, whole], ends=protocol),
        Scenario("5.13", [begun, whole], ends=protocol, chop=10),
        Scenario("5.14", [begun, whole], ends=protocol, chop=1),
        Scenario("5.15", [*cut, begun, whole], ("cut",), ends=protocol),
        Scenario("5.16", [begun, *cut, begun, *cut], ends=protocol),
        Scenario("5.17", [stray, *cut, stray, *cut], ends=protocol),
        Scenario("5.18", [cut[0], text(b"new")], ends=protocol),
        Scenario(
            "5.19",
            [*middle[:2], Frame(PING, b"1"), *middle[2:4], Frame(PING, b"2"), middle[4]],
            ("cut",),
            pongs=(b"1", b"2"),
        ),
        Scenario(
            "5.20",
            [*middle[:2], Frame(PING, b"1"), *middle[2:4], Frame(PING, b"2"), middle[4]],
            ("cut",),
            pongs=(b"1", b"2"),
            chop=1,
        ),
        # Not in that suite: a first fragment may be empty, and is a first fragment all the same.
        Scenario("5.18 after an empty fragment", [text(b"", is_last=False), whole], ends=protocol),
        Scenario("5.18 binary after an empty one", [text(b"", is_last=False), Frame(BINARY)], ends=protocol),
        Scenario(
            "5.3 nothing but empty fragments",
            [text(b"", is_last=False), *[Frame(CONTINUATION, is_last=False)] * 3, Frame(CONTINUATION)],
            errors=1,
        ),
    ]  # fmt: skip


def _unicode() -> list[Scenario]:
    valid, broken = ping(GREEK.decode()), GREEK + b"\xed\xa0\x80edited"
    bad = (1007,)
    found = [
        Scenario("6.1.1", [text(b"")], errors=1),
        Scenario("6.1.2", [text(b"", is_last=False), Frame(CONTINUATION, b"", False), Frame(CONTINUATION)], errors=1),
        Scenario(
            "6.1.3",
            [text(b"", is_last=False), Frame(CONTINUATION, ping(), False), Frame(CONTINUATION)],
            ("x",),
        ),
        Scenario("6.2.1", [text(valid)], (GREEK.decode(),)),
        Scenario("6.2.2", pieces(valid, 20), (GREEK.decode(),)),
        Scenario("6.2.3", evenly(valid, 1), (GREEK.decode(),)),
        Scenario("6.2.4", evenly(ping(GREEK.decode() + "𤭢"), 1), (GREEK.decode() + "𤭢",)),
        Scenario("6.3.1", [text(broken)], ends=bad),
        Scenario("6.3.2", evenly(broken, 1), ends=bad),
        Scenario("6.4.1", pieces(broken, 11, 14), ends=bad),
        Scenario("6.4.2", pieces(GREEK + b"\xf4\x90\x80\x80edited", 12, 13), ends=bad),
        Scenario("6.4.3", pieces(broken, 11, 14), ends=bad, chop=7),
        Scenario("6.4.4", pieces(GREEK + b"\xf4\x90\x80\x80edited", 12, 13), ends=bad, chop=7),
    ]  # fmt: skip
    for number, sequence, is_valid in SEQUENCES:
        body = b'{"type": "ping", "ref": "' + sequence + b'"}'
        if not is_valid:
            found.append(Scenario(number, [text(body)], ends=bad))
        elif sequence[0] < 0x20:  # JSON takes those as escapes only
            found.append(Scenario(number, [text(body)], errors=1))
        else:
            found.append(Scenario(number, [text(body)], (sequence.decode(),)))
    return found


def _closing() -> list[Scenario]:
    normal, protocol = (1000,), (1002,)
    found = [
        Scenario("7.1.1", [text(ping()), close()], (ANY_REF,), ends=normal),
        Scenario("7.1.2", [close(), close()], ends=normal),
        Scenario("7.1.3", [close(), Frame(PING, b"after")], ends=normal),
        Scenario("7.1.4", [close(), text(ping())], ends=normal),
        Scenario("7.1.5", [pieces(ping(), 9)[0], close(), pieces(ping(), 9)[1]], ends=normal),
        Scenario("7.1.6", [text(ping(size=1 << 18)), close(), Frame(PING)], ends=(1009,)),
        Scenario("7.3.1", [close(None)], ends=(1000, 1005)),
        Scenario("7.3.2", [Frame(CLOSE, b"a")], ends=protocol),
        Scenario("7.3.3", [close(1000)], ends=normal),
        Scenario("7.3.4", [close(1000, b"Hello World!")], ends=normal),
        Scenario("7.3.5", [close(1000, b"*" * 123)], ends=normal),
        Scenario("7.3.6", [close(1000, b"*" * 124)], ends=protocol),
        Scenario("7.5.1", [close(1000, GREEK + b"\xed\xa0\x80edited")], ends=(1002, 1007)),
    ]
    valid = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    found += [Scenario(f"7.7.{n}", [close(code)], ends=(1000, code)) for n, code in enumerate(valid, 1)]
    invalid = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)
    found += [Scenario(f"7.9.{n}", [close(code)], ends=protocol) for n, code in enumerate(invalid, 1)]
    # RFC 6455, 7.4.2, leaves codes above 4999 undefined: there the suite only looks.
    found += [Scenario("7.13.1", [close(5000)], ends=(1000, 1002, 5000)),
              Scenario("7.13.2", [close(65535)], ends=(1000, 1002, 65535))]  # fmt: skip
    return found


def _large() -> list[Scenario]:
    sizes = (1 << 16, 1 << 18, 1 << 20, 1 << 22)
    found = [Scenario(f"9.1.{n}", [text(ping(size=size))], ends=(1009,)) for n, size in enumerate(sizes, 1)]
    found += [
        Scenario(f"9.2.{n}", [Frame(BINARY, bytes(size))], ends=(1009,)) for n, size in enumerate(sizes, 1)
    ]
    fragments = (64, 256, 1 << 10, 1 << 12, 1 << 14, 1 << 16)
    found += [
        Scenario(f"9.{group}.{n}", evenly(ping(size=1 << 18), size, opcode), ends=(1009,))
        for group, opcode in ((3, TEXT), (4, BINARY))
        for n, size in enumerate(fragments, 1)
    ]
    chops = (64, 128, 256, 512, 1024, 2048)
    found += [
        Scenario(f"9.{group}.{n}", [Frame(opcode, ping(size=1 << 17))], ends=(1009,), chop=chop)
        for group, opcode in ((5, TEXT), (6, BINARY))
        for n, chop in enumerate(chops, 1)
    ]
    for n, size in enumerate((0, 16, 64, 256, 1024), 1):
        said = [text(ping(str(i), size)) for i in range(200)]
        found.append(Scenario(f"9.7.{n}", said, (ANY_REF,) * 200))
        found.append(Scenario(f"9.8.{n}", [Frame(BINARY, bytes(size))] * 200, (ANY_REF,) * 200))
    found.append(Scenario("10.1.1", evenly(ping(size=LARGE), 1300), ends=(1009,)))
    return found


def _masks() -> list[Scenario]:
    """RFC 6455, 5.1: the server MUST close the connection upon receiving a frame that is not masked."""
    frames = {"text": text(ping(), is_masked=False), "ping": Frame(PING, b"x", is_masked=False),
              "close": Frame(CLOSE, b"\x03\xe8", is_masked=False), "empty": Frame(TEXT, is_masked=False)}  # fmt: skip
    found = [Scenario(f"5.1 unmasked {name}", [frame], ends=(1002,)) for name, frame in frames.items()]
    found.append(
        Scenario(
            "5.1 unmasked after masked", [text(ping()), text(ping(), is_masked=False)], ("x",), ends=(1002,)
        )
    )
    return found


SCENARIOS = [
    *_framing(), *_pings(), *_reserved_bits(), *_reserved_opcodes(), *_fragments(), *_unicode(), *_closing(),
    *_large(), *_masks(),
]  # fmt: skip
