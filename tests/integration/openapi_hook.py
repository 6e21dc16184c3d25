"""Read by schemathesis when it runs for `test_openapi`: rules of the API that no JSON Schema can say.

What breaks one of them fits the schema and is refused all the same, so cases that are meant to be accepted keep to
them. Other tests ask that breaking them is answered as it should be.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.core.parameters import ParameterLocation

IN_TIME = "2099-01-01T00:00:00Z"
RECEIVER = "https://receiver.invalid/hook"
"""A name that no resolver knows (RFC 6761): nothing leaves this machine."""
WHO_ASKS = ("alice", "me")
LONGEST_ID = 128
THERE: dict[str, str] = json.loads(os.environ.get("OPENAPI_TEST_PATH", "{}"))
"""Path parameters of media that are there: no schema leads to them."""


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Keep a case that is meant to be accepted to the rules, and lead all whose path is well-formed to media."""
    if case.meta is None:
        return case
    if not case.meta.is_negative_at(ParameterLocation.PATH):
        given = {name: value for name, value in THERE.items() if name in case.path_parameters}
        case.path_parameters = case.path_parameters | given
    if case.meta.generation.mode.is_positive:
        _keep_to_the_rules(case)
    return case


def _keep_to_the_rules(case: Case[Any]) -> None:
    if isinstance(case.body, dict) and isinstance(case.body.get("scheduled_at"), str):
        case.body = case.body | {"scheduled_at": IN_TIME}  # a time to come
    if isinstance(case.body, dict) and "url" in case.body:
        case.body = case.body | {"url": RECEIVER}  # an address that webhooks may have
    if isinstance(case.body, dict) and case.body.get("blocked_words"):
        case.body = case.body | {
            "blocked_words": ["bad", "worse*"]
        }  # each has a letter, and * at its end only
    for name in ("user_id", "banned_id"):
        value = str(case.path_parameters.get(name, ""))
        # Nobody follows or bans oneself; and long ids are measured as they are written in addresses, %-signs and all.
        if value in WHO_ASKS or len(quote(value, safe="%")) > LONGEST_ID:
            case.path_parameters = case.path_parameters | {name: "bob"}
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid4().hex  # one key, one request
    if "cursor" in case.query:  # only an earlier answer has one
        case.query = {name: value for name, value in case.query.items() if name != "cursor"}
