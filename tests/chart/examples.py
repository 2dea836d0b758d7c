"""The chart's own examples (its ci/ values) and the clusters that they are rendered for."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.manifests import CHART, OPERATORS, Json, Manifests, render, values_files

KUBERNETES = ("1.30.0", "1.33.0", "1.37.0")
CLUSTERS: Mapping[str, tuple[str, ...]] = {"bare": (), "operators": OPERATORS}
FILES: Mapping[str, tuple[Path, ...]] = {
    "defaults": (),
    **{file.name.removesuffix("-values.yaml"): (file,) for file in values_files()},
}
"""By name; the defaults are what `helm install` does without a word."""

EXTERNAL = {
    "database-url": "postgresql://convex_app:pw-of-the-service@db.example.com:5432/convex",
    "database-owner-url": "postgresql://convex_owner:pw-of-the-owner@db.example.com:5432/convex",
    "redis-url": "rediss://:pw-of-redis@redis.example.com:6380/0",
    "cache-redis-url": "rediss://:pw-of-redis@cache.example.com:6380/0",
    "jwt-secret": "jwt-secret-of-the-tests-0123456789abcdef",
    "encryption-keys": "Y2ktb25seS1jaS1vbmx5LWNpLW9ubHktY2ktb25seS0=",
    "oidc-client-secret": "oidc-secret-of-the-tests",
    "smtp-password": "smtp-password-of-the-tests",
    "otlp-headers": "authorization=of-the-tests",
    "api-key": "cvx_cionly00_cionlycionlycionlycionlycionlycionlycionlyc",
}
"""What people keep in Secrets of their own, by the chart's default keys."""

every_example = pytest.mark.parametrize("example", FILES)
every_cluster = pytest.mark.parametrize("cluster", CLUSTERS)
every_version = pytest.mark.parametrize("version", KUBERNETES)


def rendered(example: str, version: str = "1.33.0", cluster: str = "operators") -> Manifests:
    """An example as a cluster would get it."""
    return render(FILES[example], kube_version=version, api_versions=CLUSTERS[cluster])


@functools.cache
def foreign(example: str) -> frozenset[str]:
    """Secrets and the like that an example names as being there already."""
    return frozenset(name for file in FILES[example] for name in _named(yaml.safe_load(file.read_text())))


def _named(values: Any, key: str = "") -> Iterator[str]:
    if isinstance(values, dict):
        for below, value in values.items():
            yield from _named(value, below)
    elif isinstance(values, list):
        for value in values:
            yield from _named(value, key)
    elif values and key.startswith("existing"):
        yield str(values)


def external(example: str) -> dict[str, dict[str, str]]:
    """The contents of the Secrets that an example names."""
    return dict.fromkeys(foreign(example), EXTERNAL)


@functools.cache
def defaults() -> Json:
    """values.yaml."""
    found: Json = yaml.load((CHART / "values.yaml").read_text(), yaml.CSafeLoader)
    return found
