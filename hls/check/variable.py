"""Variables of a playlist: EXT-X-DEFINE and what refers to it (4.3, 4.4.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from .attribute import Value
from .finding import Rule, Severity
from .line import Fault, Line

VARIABLE = Rule(
    "playlist-variable", "4.4.2.3", Severity.ERROR, "variables are defined once, and before they are used"
)
MAX_TEXT = 16_384
"""Characters of a line that variables are put into; of more, nothing is."""
MAX_VALUE = 4096
"""Characters of a value that are kept: a line full of references to a long one would fill the memory."""

_REFERENCE = re.compile(r"\{\$([A-Za-z0-9_-]+)\}")


def resolve_variables(
    lines: list[Line], url: str, imported: Mapping[str, str], faults: list[Fault]
) -> tuple[list[Line], dict[str, str]]:
    """Put in the values of variables.

    Args:
        lines: of the playlist.
        url: its address, whose query QUERYPARAM refers to.
        imported: variables of the multivariant playlist, which IMPORT refers to.
        faults: where faults are added.

    Returns:
        The lines, and the variables by name.
    """
    variables: dict[str, str] = {}
    resolved = []
    for line in lines:
        if line.tag == "EXT-X-DEFINE":
            _define(line, url, imported, variables, faults)
            resolved.append(line)
        else:
            resolved.append(_resolve(line, variables, faults))
    return resolved, variables


def _define(
    line: Line, url: str, imported: Mapping[str, str], variables: dict[str, str], faults: list[Fault]
) -> None:
    sources: dict[str, Mapping[str, str]] = {
        "NAME": {line.text_of("NAME"): line.text_of("VALUE")} if "VALUE" in line.attributes else {},
        "IMPORT": imported,
        "QUERYPARAM": {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()},
    }
    named = [kind for kind in sources if kind in line.attributes]
    if len(named) != 1:
        faults.append(Fault(VARIABLE, line, "it has not exactly one of NAME, IMPORT and QUERYPARAM"))
        return
    name = line.text_of(named[0])
    value = sources[named[0]].get(name)
    if value is None:
        faults.append(Fault(VARIABLE, line, f"there is no value for {name!r}"))
    elif name in variables:
        faults.append(Fault(VARIABLE, line, f"{name!r} is defined again"))
    else:
        variables[name] = value[:MAX_VALUE]


def _resolve(line: Line, variables: Mapping[str, str], faults: list[Fault]) -> Line:
    if "{$" not in line.text:
        return line

    def put(text: str) -> str:
        if len(text) > MAX_TEXT:
            return text
        names = dict.fromkeys(_REFERENCE.findall(text))
        faults.extend(
            Fault(VARIABLE, line, f"{name!r} is not defined") for name in names if name not in variables
        )
        return _REFERENCE.sub(lambda match: variables.get(match[1], match[0]), text)

    if not line.tag:
        return replace(line, text=put(line.text))
    if not line.attributes:
        return line
    attributes = {
        name: Value(put(value.text), value.is_quoted) if value.is_quoted else value
        for name, value in line.attributes.items()
    }
    return replace(line, attributes=attributes)
