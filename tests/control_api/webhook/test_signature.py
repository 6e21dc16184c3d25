"""Signatures: the scheme's own example, every change, and that verifying never fails in another way."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.webhook.signature import (
    LONGEST,
    MAX_SIGNATURES,
    SHORTEST,
    TOLERANCE_S,
    SignatureError,
    new_secret,
    sign,
    verify,
)

# The example of the scheme's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT_AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {"webhook-id": ID, "webhook-timestamp": "1614265330", "webhook-signature": SIGNATURE}

keys = st.binary(min_size=SHORTEST, max_size=LONGEST)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)
times = st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=st.just(UTC))


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def test_the_example_of_the_scheme() -> None:
    assert sign(SECRET, ID, SENT_AT, BODY) == HEADERS
    verify(SECRET, HEADERS, BODY, SENT_AT)


def test_secrets_are_made_of_32_random_bytes() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(base64.b64decode(each.removeprefix("whsec_"), validate=True)) for each in made} == {32}


@given(keys, ids, times, st.binary(max_size=300), st.floats(-TOLERANCE_S + 1, TOLERANCE_S - 1))
def test_round_trip(key: bytes, message_id: str, sent_at: datetime, body: bytes, late_s: float) -> None:
    headers = sign(secret_of(key), message_id, sent_at, body)
    verify(secret_of(key), headers, body, sent_at + timedelta(seconds=late_s))


@given(keys, st.binary(min_size=1, max_size=300), st.data())
def test_a_changed_bit_is_seen(key: bytes, body: bytes, data: st.DataObject) -> None:
    headers = sign(secret_of(key), ID, SENT_AT, body)
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    changed = (int.from_bytes(body) ^ 1 << bit).to_bytes(len(body))
    with pytest.raises(SignatureError, match="no signature fits"):
        verify(secret_of(key), headers, changed, SENT_AT)


@given(keys, keys)
def test_another_secret_is_seen(key: bytes, other: bytes) -> None:
    # HMAC pads keys with zeros, so these are one key to it.
    if key.ljust(64, b"\0") == other.ljust(64, b"\0"):
        return
    with pytest.raises(SignatureError, match="no signature fits"):
        verify(secret_of(other), sign(secret_of(key), ID, SENT_AT, BODY), BODY, SENT_AT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"webhook-id": "msg_other"}, "no signature"),
        ({"webhook-id": ""}, "no id"),
        ({"webhook-id": "a.b"}, "no id"),
        ({"webhook-id": "a" * 129}, "no id"),
        ({"webhook-timestamp": "1614265331"}, "no signature"),
        ({"webhook-timestamp": "01614265330"}, "no signature"),
        ({"webhook-timestamp": "soon"}, "no time"),
        ({"webhook-timestamp": ""}, "no time"),
        ({"webhook-timestamp": "-1614265330"}, "no time"),
        ({"webhook-timestamp": "١٦١٤٢٦٥٣٣٠"}, "no time"),
        ({"webhook-timestamp": "9" * 13}, "no time"),
        ({"webhook-signature": ""}, "no signature"),
        ({"webhook-signature": "v1,"}, "no signature"),
        ({"webhook-signature": SIGNATURE[:-2]}, "no signature"),
        ({"webhook-signature": SIGNATURE.replace("v1", "v2")}, "no signature"),
        ({"webhook-signature": SIGNATURE.replace("v1", "v1a")}, "no signature"),
        ({"webhook-signature": "\udcff v1,\udcff é"}, "no signature"),
        ({"webhook-signature": "v1,AAAA " * MAX_SIGNATURES + SIGNATURE}, "no signature"),
    ],
)
def test_refusals(change: dict[str, str], words: str) -> None:
    with pytest.raises(SignatureError, match=words):
        verify(SECRET, HEADERS | change, BODY, SENT_AT)


@pytest.mark.parametrize("name", list(HEADERS))
def test_a_missing_header(name: str) -> None:
    with pytest.raises(SignatureError):
        verify(SECRET, {key: value for key, value in HEADERS.items() if key != name}, BODY, SENT_AT)


@pytest.mark.parametrize(
    "signatures",
    [
        f"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= {SIGNATURE}",
        f"{SIGNATURE} v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=",
        f"v1a,what v2,ever nonsense v1,!! {SIGNATURE}",
        "v1,AAAA " * (MAX_SIGNATURES - 1) + SIGNATURE,
    ],
)
def test_one_of_several_signatures_is_enough(signatures: str) -> None:
    verify(SECRET, HEADERS | {"webhook-signature": signatures}, BODY, SENT_AT)


def test_the_case_of_names_does_not_matter() -> None:
    verify(SECRET, {name.title(): value for name, value in HEADERS.items()}, BODY, SENT_AT)


@pytest.mark.parametrize(("late_s", "good"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_age(late_s: int, good: bool) -> None:
    now = SENT_AT + timedelta(seconds=late_s)
    if good:
        verify(SECRET, HEADERS, BODY, now)
    else:
        with pytest.raises(SignatureError, match="too old"):
            verify(SECRET, HEADERS, BODY, now)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        secret_of(b"k" * 23),
        secret_of(b"k" * 65),
        "whsec_" + "é" * 40,
        "whsec_" + "!" * 40,
        "whsec_" + "A" * 41,
    ],
)
def test_secrets_that_cannot_be_used(secret: str) -> None:
    for use in (
        lambda: sign(secret, ID, SENT_AT, BODY),
        lambda: verify(secret, HEADERS, BODY, SENT_AT),
    ):
        with pytest.raises(SignatureError, match="whsec_ and base64 of 24 to 64 bytes"):
            use()


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\r\nb", "é", "a" * 129, "a\n"])
def test_ids_that_cannot_be_used(message_id: str) -> None:
    with pytest.raises(SignatureError, match="an id is"):
        sign(SECRET, message_id, SENT_AT, BODY)


@given(
    st.dictionaries(st.sampled_from([*HEADERS, "other"]) | st.text(), st.text() | st.just(SIGNATURE)),
    st.binary(max_size=50),
    st.text(max_size=60) | st.just(SECRET),
)
def test_verifying_fails_in_one_way_only(headers: dict[str, str], body: bytes, secret: str) -> None:
    with pytest.raises(SignatureError):
        verify(secret, headers, body, SENT_AT)
