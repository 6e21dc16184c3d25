"""What people write, made fit to be stored and shown: pure functions.

Invisible characters that could deceive are taken out, and a text of which nothing would be seen is empty.
"""

from __future__ import annotations

import re
from unicodedata import normalize

MAX_COMMENT = 500
MAX_NAME = 128
"""Code points, after cleaning."""

MAX_GROWTH = 4
"""So many code points become one at most when they are composed (Greek with three accents)."""

HIDDEN = (
    r"\s\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff"
)
"""Characters that show nothing by themselves, as the inside of a regular expression's brackets."""

VISIBLE = f"[^{HIDDEN}]"
"""Somewhere in every comment and every name."""

_VISIBLE = re.compile(VISIBLE)
_BREAKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]+")
"""Lines and tabs: a comment is one line."""

_REMOVED = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb]")
"""Control characters, and what would turn the direction of the text around it.

Marks of direction and joiners stay: Arabic, Hebrew, Persian and emoji are written with them.
"""


def clean_comment(text: str) -> str:
    """Make a comment fit to be stored.

    Raises:
        ValueError: nothing of it would be seen, or it is longer than a comment may be.
    """
    return _clean(text, MAX_COMMENT)


def clean_name(claim: object) -> str:
    """Make a name out of what a token says; empty when it says none that could be shown."""
    if not isinstance(claim, str):
        return ""
    try:
        return _clean(claim, MAX_NAME)
    except ValueError:
        return ""


def _clean(text: str, longest: int) -> str:
    text = _REMOVED.sub("", _BREAKS.sub(" ", text)).strip()
    if len(text) <= longest * MAX_GROWTH:  # composing takes quadratic time: not whatever was sent
        text = normalize("NFC", text)
    if len(text) > longest:
        raise ValueError(f"must have at most {longest} characters")
    if not _VISIBLE.search(text):
        raise ValueError("must hold something that can be seen")
    return text
