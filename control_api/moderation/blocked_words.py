"""Which words of a comment are blocked, however they are written; see `control_api.moderation.plain_word`.

Words are matched whole: what is blocked may stand inside of another word. `word*` stands for all words that begin so,
several words for these words one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from control_api.moderation.plain_word import plain, readings

SELDOM_DOUBLED = frozenset("ahijkquvwxy")
"""Letters that hardly any word has twice: "fuuck" is not how one writes, "good" is."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word with each run of the same letter squeezed into one, and how long the runs were."""

    letters: str
    counts: tuple[int, ...]
    is_beginning: bool = False
    """Whether other words that begin like this are meant too."""

    def matches(self, other: _Word) -> bool:
        """Tell whether `other`, a word of a text, is this one."""
        part = other.letters[: len(self.letters)] if self.is_beginning else other.letters
        if part != self.letters:
            return False
        *inner, (letter, count, found) = zip(self.letters, self.counts, other.counts, strict=False)
        # Behind its beginning a word may go on with the same letter.
        is_end = found >= count if self.is_beginning else _is_run(letter, count, found)
        return is_end and all(_is_run(*run) for run in inner)


Phrase = tuple[_Word, ...]


class BlockedWords:
    """Finds blocked words.

    Args:
        words: as people wrote them. Those without a letter or digit match nothing.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._phrases: dict[str, list[Phrase]] = {}
        """By the letters of the first word, which is spelled out."""
        self._beginnings: dict[str, list[Phrase]] = {}
        """By the letters that a word has to begin with."""
        for phrase in filter(None, map(parse, words)):
            index = self._beginnings if phrase[0].is_beginning else self._phrases
            index.setdefault(phrase[0].letters, []).append(phrase)
        self._lengths = sorted({len(letters) for letters in self._beginnings})

    def match(self, text: str) -> bool:
        """Tell whether a text holds a blocked word."""
        if not self._phrases and not self._beginnings:
            return False
        return any(self._is_in([_squeezed(word) for word in words]) for words in readings(text))

    def _is_in(self, words: list[_Word]) -> bool:
        return any(
            len(phrase) <= len(words) - start
            and all(mine.matches(other) for mine, other in zip(phrase, words[start:], strict=False))
            for start, word in enumerate(words)
            for phrase in self._beginning_like(word.letters)
        )

    def _beginning_like(self, letters: str) -> Iterator[Phrase]:
        yield from self._phrases.get(letters, ())
        for length in self._lengths:
            yield from self._beginnings.get(letters[:length], ())


@lru_cache(maxsize=1000)
def blocked_words(words: tuple[str, ...]) -> BlockedWords:
    """Prepare words once, however often their list is read."""
    return BlockedWords(words)


def parse(word: str) -> Phrase:
    """Read a word or several as they are to be matched; empty when there is neither letter nor digit.

    Signs and digits between letters stand for letters, as in "b4d".
    """
    if not any(map(str.isalnum, plain(word))):
        return ()
    # Of several readings the one with most letters: a text that is written like this has it too.
    words = max(readings(word), key=lambda found: (sum(map(_letter_count, found)), found))
    *first, last = map(_squeezed, words)
    return (*first, _Word(last.letters, last.counts, word.rstrip().endswith("*")))


def _letter_count(word: str) -> int:
    return sum(char.isalpha() for char in word)


def _squeezed(word: str) -> _Word:
    runs = [(letter, len(list(run))) for letter, run in groupby(word)]
    return _Word("".join(letter for letter, _ in runs), tuple(count for _, count in runs))


def _is_run(letter: str, count: int, found: int) -> bool:
    """Tell whether a run of a letter in a text is one of `count`, or that one drawn out."""
    return found == count or (found > count and (found >= 3 or letter in SELDOM_DOUBLED))
