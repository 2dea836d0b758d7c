"""The chart's schema lets nothing misspelt or mistyped pass, wherever it stands."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from tests.chart.examples import defaults
from tests.support.manifests import CHART

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALID = (
    jsonschema_rs.Draft7Validator(SCHEMA) if "draft-07" in SCHEMA["$schema"] else jsonschema_rs.validator_for(SCHEMA)
)


def paths(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of every value that is no part of a free one."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from paths(value, (*path, key))


def schema_at(path: tuple[str, ...]) -> dict[str, Any]:
    """Of a value; nothing below one that is free."""
    found: dict[str, Any] = SCHEMA
    for key in path:
        found = found.get("properties", {}).get(key, {})
    return found


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """values.yaml with one value another."""
    values = copy.deepcopy(dict(defaults()))
    inner: Any = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return values


DESCRIBED = [path for path in paths(defaults()) if schema_at(path)]
CLOSED = [path for path in DESCRIBED if schema_at(path).get("properties") and path[0] != "global"]


def test_the_defaults_are_valid_and_all_described() -> None:
    assert VALID.is_valid(defaults())
    free = {path for path in DESCRIBED if not schema_at(path).get("properties")}
    missing = [
        path for path in paths(defaults()) if path not in DESCRIBED and not any(path[:n] in free for n in range(9))
    ]
    assert missing == []
    assert len(DESCRIBED) > 300
    assert len(CLOSED) > 40


@pytest.mark.parametrize("path", [(), *CLOSED], ids=".".join)
def test_a_misspelt_name_is_refused(path: tuple[str, ...]) -> None:
    found = list(VALID.iter_errors(changed((*path, "misspelt"), 1)))
    assert any("misspelt" in error.message for error in found)


def test_what_is_in_global_is_open_to_other_charts() -> None:
    assert VALID.is_valid(changed(("global", "storageClass"), "fast"))


def test_a_value_of_another_type_is_refused() -> None:
    """Text, numbers, switches and lists where an object is given, and objects where a list is."""
    passed = []
    for path in DESCRIBED:
        if path[0] == "global":
            continue
        value: Any = [1] if schema_at(path).get("type") == "object" else {"misplaced": {"object": 1}}
        if VALID.is_valid(changed(path, value)):
            passed.append(".".join(path))
    assert passed == []
