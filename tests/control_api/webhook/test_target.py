"""Addresses of receivers: what they may look like."""

from __future__ import annotations

import pytest
from aiohttp.helpers import is_ip_address
from hypothesis import given
from hypothesis import strategies as st

from control_api.webhook.address import refusal
from control_api.webhook.target import MAX_URL, parse_target
from media.error import StreamError


@pytest.mark.parametrize(
    ("url", "host", "port", "sent"),
    [
        ("https://example.org/hook", "example.org", 443, "https://example.org/hook"),
        ("http://example.org", "example.org", 80, "http://example.org"),
        (
            "HTTPS://Hooks.Example.ORG:8443/A?b=C",
            "hooks.example.org",
            8443,
            "https://hooks.example.org:8443/A?b=C",
        ),
        ("https://example.org:/a", "example.org", 443, "https://example.org/a"),
        ("https://example.org:1/", "example.org", 1, "https://example.org:1/"),
        ("https://example.org:65535/", "example.org", 65535, "https://example.org:65535/"),
        ("https://example.org:00443/", "example.org", 443, "https://example.org/"),
        ("https://example.org?a=1&b=%2F%20+", "example.org", 443, "https://example.org/?a=1&b=/%20+"),
        ("https://example.org/a%2Fb//c/", "example.org", 443, "https://example.org/a%2Fb//c/"),
        ("https://example.org/@user:x@y/", "example.org", 443, "https://example.org/@user:x@y/"),
        ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", 443, "https://xn--mnchen-3ya.example/"),
        ("https://example.org./x", "example.org.", 443, "https://example.org./x"),
        ("https://a_b.example.org/", "a_b.example.org", 443, "https://a_b.example.org/"),
        ("https://1.example.org/", "1.example.org", 443, "https://1.example.org/"),
        ("https://0x.example.org/", "0x.example.org", 443, "https://0x.example.org/"),
        ("http://8.8.8.8:9000/x", "8.8.8.8", 9000, "http://8.8.8.8:9000/x"),
        ("http://[2606:4700::1]/x", "2606:4700::1", 80, "http://[2606:4700::1]/x"),
        ("http://[2606:4700:0:0:0:0:0:1]:81/", "2606:4700::1", 81, "http://[2606:4700::1]:81/"),
    ],
)
def test_targets(url: str, host: str, port: int, sent: str) -> None:
    found = parse_target(url, allow_private=False)
    assert (found.host, found.port, str(found.url)) == (host, port, sent)


BAD = [
    ("", "ASCII"),
    ("https://example.org/a b", "ASCII"),
    ("https://example.org/\r\nx: y", "ASCII"),
    ("https://example.org/\t", "ASCII"),
    (" https://example.org/", "ASCII"),
    ("https://example.org/\n", "ASCII"),
    ("https://example.org/\x00", "ASCII"),
    ("https://example.org/\x7f", "ASCII"),
    ("https://example.org/\udcff", "ASCII"),
    ("https://münchen.example/", "ASCII"),
    ("http://①②⑦.⓪.⓪.①/", "ASCII"),
    ("http://127。0。0。1/", "ASCII"),
    ("http:\\\\example.org/", "ASCII"),
    ("http://example.org\\@127.0.0.1/", "ASCII"),
    ("https://example.org/" + "a" * MAX_URL, "2048"),
    ("https://example.org/#", "fragment"),
    ("https://example.org#@127.0.0.1/", "fragment"),
    ("ftp://example.org/", "begin with"),
    ("file:///etc/passwd", "begin with"),
    ("gopher://example.org/", "begin with"),
    ("ws://example.org/", "begin with"),
    ("unix:///run/x.sock", "begin with"),
    ("javascript:alert(1)", "begin with"),
    ("//example.org/", "begin with"),
    ("example.org", "begin with"),
    ("http:example.org", "begin with"),
    ("http:/example.org", "begin with"),
    ("https://user@example.org/", "user name"),
    ("https://user:password@example.org/", "user name"),
    ("https://@example.org/", "user name"),
    ("https://example.org@127.0.0.1/", "user name"),
    ("https://", "name a host"),
    ("https:///path", "name a host"),
    ("https://:80/", "name a host"),
    ("https://?x", "name a host"),
    ("https://example.org:http/", "name a host"),
    ("https://example.org:80:81/", "name a host"),
    ("https://example.org:-1/", "name a host"),
    ("https://example.org:+80/", "name a host"),
    ("https://example.org:123456/", "name a host"),
    ("https://exa%6dple.org/", "name a host"),
    ("https://127.0.0.1%2f.example.org/", "name a host"),
    ("https://[::1/", "name a host"),
    ("https://::1/", "name a host"),
    ("https://[v1.x]/", "name a host"),
    ("https://[fe80::1%25eth0]/", "name a host"),
    ("https://[fe80::1%eth0]/", "name a host"),
    ("https://[]/", "name a host"),
    ("https://a,b/", "name a host"),
    ("https://example.org:0/", "port"),
    ("https://example.org:65536/", "port"),
    ("https://example.org:99999/", "port"),
    ("https://[1::2::3]/", "no address that can be"),
    ("https://[127.0.0.1]/", "no address that can be"),
    ("https://[:]/", "no address that can be"),
    ("http://127.1/", "no address that can be"),
    ("http://127.0.1/", "no address that can be"),
    ("http://2130706433/", "no address that can be"),
    ("http://0x7f000001/", "no address that can be"),
    ("http://0x7f.0.0.1/", "no address that can be"),
    ("http://0x7f.1/", "no address that can be"),
    ("http://0177.0.0.1/", "no address that can be"),
    ("http://127.0.0.01/", "no address that can be"),
    ("http://127.0.0.1./", "no address that can be"),
    ("http://127.0.0.0x1/", "no address that can be"),
    ("http://127.0.0.1.5/", "no address that can be"),
    ("http://256.0.0.1/", "no address that can be"),
    ("http://0/", "no address that can be"),
    ("http://example.123/", "no address that can be"),
    ("http://example.0x/", "no address that can be"),
    ("https://a..b/", "no name that can be"),
    ("https://.example.org/", "no name that can be"),
    ("https://example.org../", "no name that can be"),
    ("https://./", "no name that can be"),
    ("https://-a.example.org/", "no name that can be"),
    ("https://a-.example.org/", "no name that can be"),
    (f"https://{'a' * 64}.example.org/", "no name that can be"),
    (f"https://{'a.' * 130}org/", "no name that can be"),
]
PRIVATE = [
    ("http://127.0.0.1/", "a loopback address"),
    ("http://127.0.0.1:8098/", "a loopback address"),
    ("http://[::1]/", "a loopback address"),
    ("http://[0:0:0:0:0:0:0:1]/", "a loopback address"),
    ("http://[::ffff:127.0.0.1]/", "a loopback address"),
    ("http://[::FFFF:7F00:1]/", "a loopback address"),
    ("http://[64:ff9b::127.0.0.1]/", "a loopback address"),
    ("http://[2002:7f00:1::]/", "a loopback address"),
    ("http://10.1.2.3/", "a private address"),
    ("http://[fd00::1]/", "a private address"),
    ("http://169.254.1.1/", "a link-local address"),
    ("http://100.64.0.1/", "a carrier's shared address"),
    ("http://localhost/", "only in one network"),
    ("http://LOCALHOST:80/", "only in one network"),
    ("http://localhost./", "only in one network"),
    ("http://a.localhost/", "only in one network"),
    ("http://printer.local/", "only in one network"),
    ("http://metadata.google.internal/", "only in one network"),
    ("http://nas.home.arpa/", "only in one network"),
    ("http://intranet/", "only in one network"),
]
NEVER = [
    ("http://169.254.169.254/latest/", "metadata service"),
    ("http://[::ffff:169.254.169.254]/", "metadata service"),
    ("http://[fd00:ec2::254]/", "metadata service"),
    ("http://0.0.0.0/", "unspecified"),
    ("http://[::]/", "unspecified"),
    ("http://224.0.0.1/", "multicast"),
    ("http://255.255.255.255/", "reserved"),
]


@pytest.mark.parametrize(("url", "words"), BAD + NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_refusals(url: str, words: str, allow_private: bool) -> None:
    with pytest.raises(StreamError, match=words) as caught:
        parse_target(url, allow_private)
    assert caught.value.code == "invalid"


@pytest.mark.parametrize(("url", "words"), PRIVATE)
def test_private_ones(url: str, words: str) -> None:
    with pytest.raises(StreamError, match=words):
        parse_target(url, allow_private=False)
    parse_target(url, allow_private=True)


@pytest.mark.parametrize(
    "name", ["notlocalhost.example", "local.example", "x.internal.example", "mylocal.org"]
)
def test_names_that_only_look_local(name: str) -> None:
    assert parse_target(f"https://{name}/", allow_private=False).host == name


def test_words_do_not_repeat_the_address() -> None:
    for url, _ in BAD + PRIVATE + NEVER:
        with pytest.raises(StreamError) as caught:
            parse_target(url.replace("/", "/hidden", 3), allow_private=False)
        assert "hidden" not in caught.value.detail


PIECES = r"http:// https:// a example.org 127.0.0.1 [::1] [ ] : 80 / ? # @ % %41 . .. - _ xn-- xn--a 0x \ é ٣ // * { 1"
pieces = st.sampled_from([*PIECES.split(), " ", "\x00", "\ud800"])
urls = (
    st.text(max_size=100)
    | st.lists(pieces, max_size=12).map("".join)
    | st.lists(pieces, max_size=8).map(lambda each: "http://" + "".join(each))
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60).map("http://a.example".__add__)
)


@given(urls, st.booleans())
def test_an_address_is_read_or_refused_in_one_way(url: str, allow_private: bool) -> None:
    try:
        found = parse_target(url, allow_private)
    except StreamError as error:
        assert error.code == "invalid"  # noqa: PT017
        return
    # What the client will see is what was checked.
    assert found.url.scheme in ("http", "https")
    assert (found.url.raw_host, found.url.port) == (found.host, found.port)
    assert found.url.user is None
    assert found.url.raw_fragment == ""
    assert 1 <= found.port <= 65535
    if is_ip_address(found.host):
        assert refusal(found.host, allow_private=allow_private) is None


@given(st.from_regex(r"(xn--)?[a-z0-9-]{1,12}\.(xn--)?[a-z0-9-]{1,12}", fullmatch=True))
def test_names_are_what_they_are(name: str) -> None:
    try:
        found = parse_target(f"http://{name}/", allow_private=True)
    except StreamError:
        return
    assert found.host == name
