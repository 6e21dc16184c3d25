"""What is stored of what people write."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_api.chat.text import MAX_COMMENT, VISIBLE, clean_comment, clean_name

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Great stream!", "Great stream!"),
        ("  a  b  ", "a  b"),
        ("a\nb", "a b"),
        ("a\r\n\r\n\tb\u2028c\u2029d\x85e\vf", "a b c d e f"),
        ("\n\n\n", None),
        ("", None),
        ("\u00a0\u2003\u3000", None),
        ("\u200b\u200c\u200d\u2060\ufeff", None),
        ("\u3164\u115f\u2800\uffa0", None),
        ("\ufe0f\U000e0041", None),
        ("\u202e\u2066\u2069", None),
        ("\0\x01\x7f\x9f", None),
        ("a\0b\x08c\x7fd\x9fe", "abcde"),
        ("safe\u202etxt.exe", "safetxt.exe"),
        ("\u2067x\u2069\u202ay\u202c", "xy"),
        ("\u202e \u202e a", "a"),
        ("\u200e\u05d0\u05d1\u200f", "\u200e\u05d0\u05d1\u200f"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        (FAMILY, FAMILY),
        (ENGLAND, ENGLAND),
        ("❤️", "❤️"),
        ("cafe\u0301", "café"),
        ("\u1112\u1161\u11ab", "한"),
        ("e\u202e\u0301", "é"),
        ("\u0301", "\u0301"),
        ("a" * 500, "a" * 500),
        ("a" * 501, None),
        ("\U0001f525" * 500, "\U0001f525" * 500),
        ("\U0001f525" * 501, None),
        ("\n" + "é" * 500 + "\0" * 500, "é" * 500),
        ("\u1112\u1161\u11ab" * 500, "한" * 500),
        ("\u1112\u1161\u11ab" * 501, None),
        ("a" + "\u0301\u0316" * 5000, None),
    ],
)
def test_comments(text: str, cleaned: str | None) -> None:
    if cleaned is None:
        with pytest.raises(ValueError, match=r"must have at most 500 characters|can be seen"):
            clean_comment(text)
    else:
        assert clean_comment(text) == cleaned


@settings(deadline=None)
@given(st.text(max_size=600))
def test_what_is_stored_is_clean_and_stays_as_it_is(text: str) -> None:
    try:
        cleaned = clean_comment(text)
    except ValueError:
        return
    assert 1 <= len(cleaned) <= MAX_COMMENT
    assert cleaned == cleaned.strip()
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in cleaned)
    assert not any(unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF") for c in cleaned)
    assert clean_comment(cleaned) == cleaned


def test_no_formatting_character_is_taken_for_something_to_see() -> None:
    for code in range(0x110000):
        c = chr(code)
        if unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp") or code in range(0xE0000, 0xE1000):
            assert not re.search(VISIBLE, c), hex(code)
        elif unicodedata.category(c)[0] in "LNPS" and not re.search(VISIBLE, c):
            assert unicodedata.name(c) in (
                "HANGUL CHOSEONG FILLER",
                "HANGUL JUNGSEONG FILLER",
                "HANGUL FILLER",
                "HALFWIDTH HANGUL FILLER",
                "BRAILLE PATTERN BLANK",
            )


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        ("Eve", "Eve"),
        (" Eve\nAdams ", "Eve Adams"),
        ("\u202eevE", "evE"),
        ("é" * 128, "é" * 128),
        ("é" * 129, ""),
        ("\u200b", ""),
        ("", ""),
        (None, ""),
        (7, ""),
        (["Eve"], ""),
        ({"en": "Eve"}, ""),
    ],
)
def test_names(claim: object, name: str) -> None:
    assert clean_name(claim) == name
