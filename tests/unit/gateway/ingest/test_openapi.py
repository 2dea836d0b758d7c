"""The description says what is so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from convex_gateway.ingest.openapi import COMPONENTS, PATHS


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for part in value.values() for found in references(part)]
    if isinstance(value, list | tuple):
        return [found for part in value for found in references(part)]
    return []


def test_every_reference_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in COMPONENTS["schemas"]} | {"#/components/schemas/Problem"}
    assert set(references([PATHS, COMPONENTS])) <= known


def test_it_is_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode([PATHS, COMPONENTS]))


@pytest.mark.parametrize("name", ["Trigger", "Observation"])
def test_our_own_bodies_refuse_what_they_do_not_know(name: str) -> None:
    assert COMPONENTS["schemas"][name]["additionalProperties"] is False


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for item in PATHS.values() for operation in item.values()]
    assert len(names) == len(set(names))
