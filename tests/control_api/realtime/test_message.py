"""What clients say, read."""

from __future__ import annotations

import pytest

from control_api.realtime.message import MAX_MESSAGE, MessageError, parse_message


@pytest.mark.parametrize(
    ("text", "kind", "ref"),
    [
        ('{"type":"comment","data":{"content":" hi "},"ref":"r"}', "comment", "r"),
        ('{"type":"comment","data":{"content":"hi","ref":7}}', "comment", 7),
        ('{"type":"reaction","data":{"type":"fire"}}', "reaction", None),
        ('{"type":"ping"}', "ping", None),
        ('{"type":"ping","data":{"at":1},"ref":"x"}', "ping", "x"),
        ('{"type":"ping","data":null,"ref":null}', "ping", None),
    ],
)
def test_messages(text: str, kind: str, ref: str | int | None) -> None:
    message = parse_message(text)
    assert (message.type, message.ref) == (kind, ref)


@pytest.mark.parametrize(
    ("text", "code", "ref", "words"),
    [
        ("", "bad_request", None, "no JSON"),
        ('{"type":', "bad_request", None, "no JSON"),
        ("[1]", "bad_request", None, "object"),
        ("null", "bad_request", None, "object"),
        ("[" * (MAX_MESSAGE // 2), "bad_request", None, "no JSON"),
        ("{}", "invalid", None, "type"),
        ('{"type":"poem","ref":"r"}', "invalid", "r", "'poem'"),
        ('{"type":7}', "invalid", None, "type"),
        ('{"type":"comment","ref":"r"}', "invalid", "r", "data"),
        ('{"type":"comment","data":[],"ref":"r"}', "invalid", "r", "data"),
        ('{"type":"comment","data":{"content":5,"ref":"r"}}', "invalid", "r", "content"),
        ('{"type":"comment","data":{"content":"  "}}', "invalid", None, "content"),
        ('{"type":"comment","data":{"content":"hi","more":1}}', "invalid", None, "more"),
        ('{"type":"reaction","data":{"type":"boo"}}', "invalid", None, "type"),
        ('{"type":"ping","ref":[1]}', "invalid", None, "ref"),
        ('{"type":"ping","ref":"' + "x" * 101 + '"}', "invalid", None, "ref"),
        ('{"type":"ping","more":1}', "invalid", None, "more"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_faults_are_told_in_words(text: str, code: str, ref: str | int | None, words: str) -> None:
    with pytest.raises(MessageError, match=words) as error:
        parse_message(text)
    assert (error.value.code, error.value.ref) == (code, ref)


def test_comment_is_cleaned() -> None:
    message = parse_message('{"type":"comment","data":{"content":"a\\u0007\\nb"}}')
    assert message.data is not None
    assert message.model_dump()["data"] == {"content": "a b"}
