"""The values that docs/tracing.md gives reach every process as what OpenTelemetry's SDK reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.manifests import render, values_files

PAGE = Path(__file__).parents[2] / "docs" / "tracing.md"
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n# values\n(.*?)```", PAGE.read_text(), re.DOTALL)]
MINIMAL = [path for path in values_files() if path.name == "minimal-values.yaml"]


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda values: values["tracing"]["endpoint"].split("/")[2])
def test_every_example_of_the_page(values: dict[str, Any]) -> None:
    manifests = render(MINIMAL, values=values)
    secrets = {"tempo-cloud": {"otlp-headers": "Authorization=Basic%20dGVtcG8="}}
    for component in ("gateway", "processor", "notifier", "analytics", "scheduler"):
        pod = manifests.one("Deployment", component=component).template
        told = manifests.environment(pod, pod.main, secrets)
        endpoint = told["OTEL_EXPORTER_OTLP_ENDPOINT"]
        assert re.fullmatch(r"https?://(?!node)[\w.-]+(:4318)?(/otlp)?", endpoint), (component, endpoint)
        attributes = dict(pair.split("=") for pair in told["OTEL_RESOURCE_ATTRIBUTES"].split(","))
        assert attributes.keys() >= {"k8s.namespace.name", "k8s.pod.name", "service.version"}
        assert attributes.items() >= values["tracing"].get("resourceAttributes", {}).items()
        assert told["OTEL_TRACES_SAMPLER"] == "parentbased_always_on"
        assert ("OTEL_EXPORTER_OTLP_HEADERS" in told) is ("existingSecret" in values["tracing"])


def test_the_page_has_an_example_for_each_back_end() -> None:
    assert len(EXAMPLES) == 4
