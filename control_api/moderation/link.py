"""Finds links in text, with and without `https://`: what a reader can click on or would type."""

from __future__ import annotations

import re

from control_api.moderation.plain_word import visible


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


GENERIC = _words(
    "aero app art arpa asia beer best bet bid bio biz blog cam cash casino cat chat click cloud club com company",
    "cool coop date dating deals dev digital direct download earth edu email events exchange expert express faith",
    "fans finance fit fm fun fund fyi games gift gov group guru help homes host house icu info ink int jobs lat",
    "link live loan lol love ltd market media men mil mobi money monster moe museum name net network news ninja",
    "one online onion org page party photos pics pink plus poker porn press pro promo quest racing red rent",
    "review reviews rip rocks run sale sbs science sex shop show site social solutions space store stream studio",
    "support surf systems tech tel tips today tools top trade travel tube vegas video vip website wiki win work",
    "world wtf xxx xyz zip zone",
)
COUNTRIES = _words(
    "ac ad ae af ag ai al am an ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv bw by",
    "bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk",
    "fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir",
    "is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml",
    "mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn",
    "pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg",
    "th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw",
    "рф бел укр срб",  # noqa: RUF001 these are what they look like
)
WORDS = _words(
    "am an as at be by do es et id il im in is it la ma me my na ne no pa re se si so st to us art beer best bet",
    "cat cool date dating deals direct earth events fans fit fun fyi games gift group guru help homes house jobs",
    "link live lol love market men money name network news one page party photos pink plus press pro red rent",
    "review rip run sale science sex show social space store stream studio support surf systems tips today tools",
    "top trade travel video win work world wtf zip zone cc md ml pl pm ps py rs sh",
)
"""Endings of domains that are also words, or names of files, behind a full stop without a space."""

SCHEME = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/]|\bmailto:\S|\bmagnet:\?|\bwww\d?\.[^\W_]", re.IGNORECASE
)
ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{2,5}|/)")
"""With a port or a path, since four numbers may be a version."""
DOMAIN = re.compile(
    r"(?<![\w.-])(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W_][\w-]{0,61}(?P<rest>/\w|:\d{2,5}\b|/?\?\w+=)?"
)
DOT = re.compile(r" {0,3}[(\[{] ?(?:dot|\.) ?[)\]}] {0,3}|。", re.IGNORECASE)
"""How a full stop is written in order not to be found."""


def has_link(text: str) -> bool:
    """Tell whether a text holds a link or the name of a host."""
    seen = DOT.sub(".", visible(text))
    if SCHEME.search(seen) or ADDRESS.search(seen):
        return True
    return any(_is_host(found) for found in DOMAIN.finditer(seen))


def _is_host(found: re.Match[str]) -> bool:
    """Tell whether words joined by full stops are a host's name.

    Any of them may be its ending: what follows it may be the next sentence.
    """
    host = found[0].removesuffix(found["rest"] or "").casefold()
    endings = host.split(".")[1:]
    if found["rest"] and _is_ending(endings[-1]):
        return True
    return any(_is_ending(ending) and ending not in WORDS for ending in endings)


def _is_ending(label: str) -> bool:
    return label in GENERIC or label in COUNTRIES or label.startswith("xn--")
