"""Byte sequences that are UTF-8 (RFC 3629), and such that are not: groups 6.5 to 6.23 of the Autobahn test suite.

They go back to Markus Kuhn's "UTF-8 decoder capability and stress test".
"""

from __future__ import annotations

GREEK = "κόσμε".encode()
"""Eleven bytes; every prefix that ends inside of a character is invalid."""


def _is_valid(sequence: bytes) -> bool:
    try:
        sequence.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lonely(first: int, last: int) -> bytes:
    return b"".join(bytes([start, 0x20]) for start in range(first, last + 1))


_CUT = [bytes.fromhex(text) for text in ("c0", "e080", "f08080", "f8808080", "fc80808080",
                                          "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf")]  # fmt: skip
_GROUPS: dict[str, list[bytes]] = {
    "6.5": [b"hello$world", "hello¢world".encode(), "hello€world".encode(), "hello𤭢world".encode(), GREEK],
    "6.6": [GREEK[:size] for size in range(1, len(GREEK) + 1)],
    "6.7": [b"\0", "\x80".encode(), "\u0800".encode(), "\U00010000".encode()],
    "6.8": [bytes.fromhex("f888808080"), bytes.fromhex("fc8480808080")],
    "6.9": [b"\x7f", "\u07ff".encode(), "\uffff".encode(), "\U0010ffff".encode()],
    "6.10": [bytes.fromhex(text) for text in ("f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf")],
    "6.11": [bytes.fromhex(text) for text in ("ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080")],
    "6.12": [b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:size] for size in range(2, 7)), bytes(range(0x80, 0xC0))],
    "6.13": [_lonely(*pair) for pair in ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))],
    "6.14": _CUT,
    "6.15": [b"".join(_CUT)],
    "6.16": [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    "6.17": [bytes.fromhex(text) for text in ("c0af", "e080af", "f08080af", "f8808080af", "fc80808080af")],
    "6.18": [bytes.fromhex(text) for text in ("c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf")],
    "6.19": [bytes.fromhex(text) for text in ("c080", "e08080", "f0808080", "f880808080", "fc8080808080")],
    "6.20": [bytes.fromhex(text) for text in ("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf")],
    "6.21": [
        bytes.fromhex(high + low) for high in ("eda080", "edadbf", "edae80", "edafbf") for low in ("edb080", "edbfbf")
    ],
    "6.22": [chr(plane << 16 | low).encode() for plane in range(17) for low in (0xFFFE, 0xFFFF)],
    "6.23": [chr(code).encode() for code in range(0xFFF9, 0x10000)],
}  # fmt: skip

SEQUENCES = [
    (f"{group}.{number}", sequence, _is_valid(sequence))
    for group, sequences in _GROUPS.items()
    for number, sequence in enumerate(sequences, 1)
]
"""Number of the case, bytes, and whether they are UTF-8."""
