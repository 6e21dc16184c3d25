"""Links, and full stops that make none."""

# ruff: noqa: RUF001 look-alikes are what is tested

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_api.moderation.link import has_link

LINKS = [
    "http://a.b",
    "HTTPS://EXAMPLE.COM",
    "https://192.0.2.1/x",
    "ftp://host",
    "steam://run/1",
    "see www.foo.bar now",
    "example.com",
    "go to example.com.",
    "(example.com)",
    "EXAMPLE.Com!",
    "sub.example.co.uk/path",
    "me@example.com",
    "mailto:a@b",
    "magnet:?xt=urn:btih:1",
    "discord.gg/abc",
    "t.me/x",
    "youtu.be/abc",
    "twitch.tv",
    "bit.ly/3x",
    "a.top?x=1",
    "hello.world/offer",
    "1.2.3.4:8080",
    "1.2.3.4/x",
    "münchen.de",
    "пример.рф",
    "xn--e1afmkfd.xn--p1ai",
    "a-b.io",
    "1.com",
    "foo.com.thanks",
    # Written in order not to be found.
    "example[.]com",
    "example (dot) com",
    "example[DOT]com",
    "example。com",
    "exam\u200bple.com",
    "ｅxample．com",
]


@pytest.mark.parametrize("text", LINKS)
def test_a_link_is_found(text: str) -> None:
    assert has_link(text)


NO_LINKS = [
    "",
    "3.5",
    "10.000,50",
    "v1.2.3",
    "1.2.3.4",
    "12:30",
    "2026-05-01T12:00",
    "e.g.",
    "i.e. this",
    "a.m.",
    "U.S.A.",
    "p.s. hi",
    "Mr.Smith",
    "w/o",
    "and/or",
    "yes.it was",
    "done.Thanks",
    "hello.world",
    "haha.lol",
    "wait...what",
    "no...me",
    "...com",
    ".com",
    "the com",
    "main.py",
    "README.md",
    "node.js",
    "file.tar.gz",
    "http",
    "https://",
    "mailto:",
    "(dot)",
]


@pytest.mark.parametrize("text", NO_LINKS)
def test_what_is_no_link_is_let_through(text: str) -> None:
    assert not has_link(text)


@settings(deadline=None)
@given(st.text(max_size=500))
def test_a_link_is_found_in_whatever_stands_around_it(text: str) -> None:
    assert has_link(f"{text} https://example.com {text}")
    assert has_link(f"{text} example.com {text}")
