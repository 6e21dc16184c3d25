"""Words of a text in a plain spelling, whatever letters, signs and gaps they are written with.

What is looked for and what it is looked for in go through the same spelling, so it need not be right in any language:
it has to be the same for what people read as the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import chain, groupby

ALPHABETS = (
    ("авекмнорстухіјѕԁԛԝґє", "abekmhopctyxijsdqwre"),  # Cyrillic
    ("αβγεζηικνορτυχω", "abyeznikvoptuxw"),  # Greek
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"),  # small capitals
    ("øđłħıɩ🅰🅱🅾🅿", "odlhiiabop"),
)
LOOK_ALIKES = {ord(c): latin for theirs, ours in ALPHABETS for c, latin in zip(theirs, ours, strict=True)}
LEET = dict(zip("03456789@$€", "oeasgtbgase", strict=True))
LEET_SIGNS = re.compile(r"[\d@$€!|]")
LEET_TABLES = tuple(str.maketrans(LEET | dict.fromkeys("1!|", letter)) for letter in "il")
"""A one, an exclamation mark and a bar stand for either letter."""
SIGNS = frozenset("@$€")
INNER_SIGNS = re.compile(r"(?<=\w)[!|](?=\w)")
"""Elsewhere they end a sentence or part columns."""
MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
"""Accents and other marks that are read as decoration; not vowels of Indian scripts."""
IDEOGRAPHS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)
"""Scripts without spaces between words: each character is taken for a word."""
ONE_LETTER_WORDS = frozenset("aiu")


def visible(text: str) -> str:
    """Leave out invisible characters, and write full-width letters, ligatures and the like as what they stand for."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")


def plain(text: str) -> str:
    """Write a text in small letters without accents and invisible characters, look-alikes as the Latin letter."""
    if text.isascii():
        return text.casefold()  # nothing below would change it
    bare = MARKS.sub("", unicodedata.normalize("NFKD", visible(text).casefold()))
    return unicodedata.normalize("NFC", bare).translate(LOOK_ALIKES)


def readings(text: str) -> set[tuple[str, ...]]:
    """List the words of a text, once for each way of reading it: digits and signs as such, or for letters.

    Letters that stand alone one behind the other are one word ("b a d", "b.a.d").
    """
    known = plain(text)
    found = [_split(known, frozenset())]
    if LEET_SIGNS.search(known):
        signed = _split(INNER_SIGNS.sub("1", known), SIGNS)
        found += [[_unleet(word, table) for word in signed] for table in LEET_TABLES]
    return {tuple(words) for words in chain.from_iterable(_joined(words) for words in found)}


def _split(text: str, signs: frozenset[str]) -> list[str]:
    """Split into words; `signs` belong to them."""
    words, word = [], ""
    for char in text:
        if IDEOGRAPHS.match(char):
            words += [word, char]
            word = ""
        elif char.isalnum() or char in signs or (word and unicodedata.category(char)[0] == "M"):
            word += char
        else:
            words.append(word)
            word = ""
    return [word for word in (*words, word) if word]


def _unleet(word: str, table: dict[int, str]) -> str:
    """Read digits and signs as letters; a number stays one, with or without a sign of money."""
    is_number = any(char.isdigit() for char in word) and not any(char.isalpha() for char in word)
    return word if is_number else word.translate(table)


def _joined(words: Sequence[str]) -> Iterable[Sequence[str]]:
    """Join letters that stand alone; once more without a first one that may be a word ("a b a d joke")."""
    whole: list[str] = []
    parted: list[str] = []
    for is_alone, group in groupby(words, lambda word: len(word) == 1 and not IDEOGRAPHS.match(word)):
        letters = list(group)
        if not is_alone:
            whole += letters
            parted += letters
            continue
        whole.append("".join(letters))
        first = 1 if letters[0] in ONE_LETTER_WORDS and len(letters) > 1 else 0
        parted += [*letters[:first], "".join(letters[first:])]
    return whole, parted
