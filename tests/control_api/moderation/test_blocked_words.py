"""Blocked words, however they are written, and what only looks like them."""

# ruff: noqa: RUF001 look-alikes are what is tested

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_api.moderation.blocked_words import BlockedWords, blocked_words, parse
from control_api.moderation.plain_word import plain, readings

HITS = [
    ("bad", "bad"),
    ("BAD", "so Bad!"),
    ("bad", "(bad)"),
    ("bad", "bad_"),
    # Gaps.
    ("bad", "b a d"),
    ("bad", "you are B.A.D!"),
    ("bad", "b-a_d"),
    ("bad", "a b a d joke"),
    ("ass", "a s s"),
    # What cannot be seen.
    ("bad", "b\u200ba\u2060d"),
    ("bad", "b\u00adad"),
    ("bad", "\u202ebad\u202c"),
    # Accents, and what is put on and through letters.
    ("bad", "bäd"),
    ("bad", "ba\u0301\u0302\u0303d"),
    ("bad", "b\u0336a\u0336d\u0336"),
    ("blod", "błød"),
    # Other letters.
    ("bad", "b\u0430d"),
    ("bad", "\u0412\u0410D"),
    ("bad", "\u03b2\u03b1d"),
    ("bad", "ｂａｄ"),
    ("bad", "𝓫𝓪𝓭"),
    ("bad", "ⓑⓐⓓ"),
    ("bad", "ʙᴀᴅ"),
    ("bad", "🅱ad"),
    # Digits and signs.
    ("bad", "b4d"),
    ("bad", "b@d"),
    ("boo", "800h b00"),
    ("ass", "a$$!"),
    ("ass", "@$$"),
    ("bitch", "b1tch"),
    ("bitch", "b!tch"),
    ("hell", "he11"),
    ("bob", "hi @bob"),
    # Drawn out.
    ("bad", "baaaad"),
    ("bad", "bbbaaadddd"),
    ("fuck", "fuuck"),
    ("god", "goood"),
    ("good", "gooood"),
    # The list itself is written like that.
    ("b4d", "bad"),
    ("bad!", "bad"),
    ("𝓫𝓪𝓭", "bad"),
    ("b.a.d", "bad"),
    # Beginnings and several words.
    ("bad*", "badly"),
    ("bad*", "bad"),
    ("bad*", "ba4ad baddest"),
    ("as*", "assess"),
    ("free money", "get FREE, money now"),
    ("free mon*", "fr33 m0nkeys free m0nth"),
    # Other scripts.
    ("1488", "1488!"),
    ("сука", "СУКА"),
    ("сука", "cyka"),
    ("傻瓜", "你是傻瓜吗"),
    ("ばか", "とてもばかです"),
    ("हिन्दी", "यह हिन्दी है"),
    ("한국", "한국"),
]


@pytest.mark.parametrize(("word", "text"), HITS)
def test_a_blocked_word_is_found(word: str, text: str) -> None:
    assert BlockedWords(["other", word, "third"]).match(text)


MISSES = [
    ("cunt", "Scunthorpe"),
    ("ass", "a class of bass"),
    ("ass", "as"),
    ("asse", "as set"),
    ("bad", "sandbag"),
    ("bad", "badly"),
    ("bad", "ba d"),
    ("bad", "bade"),
    ("god", "good"),
    ("bot", "boots"),
    ("hi", "this"),
    ("bad*", "abad"),
    ("ass*", "as"),
    ("free money", "free the money"),
    ("free money", "money free"),
    ("free money", "free"),
    ("boob", "8008"),
    ("boob", "$8008"),
    ("ai", "win: 11"),
    ("bad", ""),
    ("bad", "!!! ... \u200b"),
    ("!!!", "!!!"),
    ("हि", "हिन्दी"),
]


@pytest.mark.parametrize(("word", "text"), MISSES)
def test_what_is_no_blocked_word_is_let_through(word: str, text: str) -> None:
    assert not BlockedWords([word]).match(text)


def test_nothing_is_blocked_by_nothing() -> None:
    assert not BlockedWords([]).match("anything")
    assert not blocked_words(()).match("anything")


@pytest.mark.parametrize("word", ["", " ", "!!!", "*", "@", "\u200b", "\u0301"])
def test_what_has_neither_letter_nor_digit_cannot_be_blocked(word: str) -> None:
    assert parse(word) == ()


@settings(deadline=None)
@given(st.text(max_size=100))
def test_a_word_is_found_in_itself(text: str) -> None:
    """Whatever it consists of, alone and among others."""
    if parse(text):
        assert BlockedWords([text]).match(text)


@settings(deadline=None)
@given(st.text(max_size=100), st.text(max_size=500))
def test_no_text_is_too_much(word: str, text: str) -> None:
    assert BlockedWords([word, f"{word}*"]).match(text) in (True, False)
    assert all(all(words) for words in readings(text))


@settings(deadline=None)
@given(st.text(max_size=100))
def test_the_plain_spelling_does_not_depend_on_small_or_large_letters(text: str) -> None:
    assert plain(text.casefold()) == plain(text)


def test_there_are_few_ways_to_read_a_text() -> None:
    assert readings("hello there") == {("hello", "there")}
    assert len(readings("a 1 b ! c d0 " * 30)) <= 6
