"""The description of the API says what is true."""

from __future__ import annotations

import json
import re
from typing import Any

from .conftest import House


async def document_of(house: House) -> dict[str, Any]:
    response = await house.request("GET", "/openapi.json")
    assert response.status == 200
    document: dict[str, Any] = await response.json()
    return document


async def test_every_route_is_described(house: House) -> None:
    document = await document_of(house)
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (route.method, route.resource.canonical)
        for route in house.client.app.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "*")
    }
    assert served - described == {("GET", "/openapi.json")}
    assert described <= served
    assert ("POST", "/api/v1/streams/{id}/start") in described


async def test_every_reference_leads_somewhere(house: House) -> None:
    document = await document_of(house)
    for name in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


async def test_bodies_and_queries_are_described(house: House) -> None:
    document = await document_of(house)
    creation = document["components"]["schemas"]["StreamCreation"]
    assert creation["required"] == ["title"]
    assert creation["additionalProperties"] is False
    title = creation["properties"]["title"]
    pattern = title.pop("pattern")
    for text, fits in (("a show", True), (" ü ", True), ("", False), ("  ", False), ("a\u0007", False)):
        assert bool(re.search(pattern, text)) is fits, text
    assert title == {
        "maxLength": 200,
        "minLength": 1,
        "title": "Title",
        "type": "string",
    }
    change = document["components"]["schemas"]["StreamChange"]
    assert not any("default" in field for field in change["properties"].values())
    assert change["additionalProperties"] is False
    parameters = document["paths"]["/api/v1/streams"]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters][-1] == "status"
    assert "enum" in parameters[-1]["schema"]
    assert parameters[-2]["schema"]["maxLength"] == 200
    change_parameters = document["paths"]["/api/v1/streams/{id}"]["put"]["parameters"]
    assert [parameter["name"] for parameter in change_parameters] == ["id", "If-Match"]


async def test_every_field_of_health_is_explained(house: House) -> None:
    schemas = (await document_of(house))["components"]["schemas"]
    for name in (
        "StreamHealthAnswer",
        "VideoHealth",
        "AudioHealth",
        "TranscodeHealth",
        "RungHealth",
        "LastError",
    ):
        for field, shape in schemas[name]["properties"].items():
            assert shape.get("description"), (name, field)
