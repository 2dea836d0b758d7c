"""What docs/operations says can be done with the chart: its values render, its commands exist, its names are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.manifests import OPERATORS, Manifests, helm, render

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted((ROOT / "docs" / "operations").glob("*.md"))
RELEASE = "convex-alerts"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRODUCTION = {
    "existingSecret": "convex-alerts-production",
    "postgresql": {"enabled": False},
    "valkey": {"enabled": False},
}
"""What a part of the values stands on that does not say it itself."""


def fenced(language: str) -> list[tuple[str, str]]:
    """Where, and what."""
    return [
        (f"{path.name}:{path.read_text()[: found.start()].count(chr(10)) + 1}", found[2])
        for path in DOCUMENTS
        for found in _FENCE.finditer(path.read_text())
        if found[1] == language
    ]


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """Each command line that begins with it, in words."""
    for place, text in fenced("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == [program]:
                yield place, words[1:]


def production() -> Manifests:
    """The installation that the documents make."""
    return render(values=PRODUCTION, release=RELEASE, api_versions=OPERATORS)


@pytest.mark.parametrize(("place", "text"), fenced("yaml"), ids=lambda value: value if ":" in value[:30] else "")
def test_values_render(place: str, text: str) -> None:
    values = yaml.safe_load(text)
    assert render(values={**PRODUCTION, **values}, release=RELEASE, api_versions=OPERATORS).all("Deployment"), place


@pytest.mark.parametrize(("place", "text"), fenced("yaml"), ids=lambda value: value if ":" in value[:30] else "")
def test_values_have_names_of_the_chart(place: str, text: str) -> None:
    known = yaml.safe_load((ROOT / "charts" / "convex-alerts" / "values.yaml").read_text())
    assert list(_unknown(yaml.safe_load(text), known)) == [], place


def test_a_typing_error_would_be_seen() -> None:
    known = {"a": {"b": 1, "labels": {}}, "c": []}
    values = {"a": {"b": 2, "labels": {"any": "thing"}, "d": 3}, "c": [{"e": 4}], "f": {"g": 5}}
    assert list(_unknown(values, known)) == ["a.d", "f"]


HELM = list(commands("helm"))


@pytest.mark.parametrize(("place", "words"), HELM, ids=[f"{place} {words[0]}" for place, words in HELM])
def test_a_helm_command_has_its_flags(place: str, words: list[str]) -> None:
    known = helm(words[0], "--help")
    for flag in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert f"{flag} " in known or f"{flag}=" in known, f"{place}: helm {words[0]} knows no {flag}"
    assert words[1] == RELEASE
    assert words[2:3] in ([], ["charts/convex-alerts"]) or words[2].startswith("--"), place


def test_the_secret_has_every_key_that_is_asked_for() -> None:
    (made,) = [words for _, words in commands("kubectl") if words[2:4] == ["create", "secret"]]
    name, keys = made[5], {word.split("=")[1] for word in made if word.startswith("--from-literal=")}
    asked: dict[str, bool] = {}
    for manifest in production().all():
        for reference in _references(manifest.body):
            if reference["name"] == name:
                asked[reference["key"]] = asked.get(reference["key"], True) and reference.get("optional", False)
    assert {key for key, optional in asked.items() if not optional} <= keys <= set(asked)


@pytest.mark.parametrize("kind", ["deployment", "job"])
def test_objects_that_are_named_are_there(kind: str) -> None:
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    names = set(re.findall(rf"\b{kind}/(\S+?)[`\s]", text))
    there = {manifest.name for manifest in production().all(kind.capitalize())}
    there |= set(re.findall(rf"create {kind} (\S+)", text))
    assert names
    assert names <= there


def test_containers_that_are_named_are_there() -> None:
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    there = {container.name for pod in production().pods for container in (*pod.containers, *pod.init_containers)}
    assert set(re.findall(r"\s-c ([\w-]+)", text)) <= there


def test_values_that_are_named_exist() -> None:
    """`gateway.preStopSleepSeconds` and its like, wherever they stand in a sentence."""
    known = yaml.safe_load((ROOT / "charts" / "convex-alerts" / "values.yaml").read_text())
    heads = "|".join(known)
    for path in DOCUMENTS:
        for name in re.findall(rf"`((?:{heads})(?:\.\w+)+)(?:=\w+)?`", path.read_text()):
            found: Any = known
            for part in name.split("."):
                assert part in found, f"{path.name}: {name}"
                found = found[part]


def _references(value: Any) -> Iterator[dict[str, Any]]:
    """Every secretKeyRef below."""
    if isinstance(value, dict):
        if isinstance(reference := value.get("secretKeyRef"), dict):
            yield reference
        for below in value.values():
            yield from _references(below)
    elif isinstance(value, list):
        for below in value:
            yield from _references(below)


def _unknown(values: dict[str, Any], known: dict[str, Any], above: str = "") -> Iterator[str]:
    """Values that the chart has no name for; what is an empty map or a list there may hold anything."""
    for name, value in values.items():
        if name not in known:
            yield above + name
        elif isinstance(value, dict) and known[name]:
            yield from _unknown(value, known[name], f"{above}{name}.")
