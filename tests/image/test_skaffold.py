"""skaffold.yaml: every profile is of the schema, and what it sets is what the chart takes.

Skaffold itself is not run; its patches and templates are carried out as it does it.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import pytest
import yaml

from tests.support.dockerfile import REPOSITORY, stages
from tests.support.manifests import Manifests, render

CONFIG = REPOSITORY / "skaffold.yaml"
SCHEMAS = [folder / "shared/schemas" for folder in REPOSITORY.parents]
PROFILES = ["", "dev", "ci", "prod"]
DIGEST = "sha256:" + "0" * 64
PUSHED = {
    "IMAGE_REPO_convex_alerts": "registry.example.com/team/convex-alerts",
    "IMAGE_TAG_convex_alerts": "v1-2-g3",
    "IMAGE_DIGEST_convex_alerts": DIGEST,
}
LOADED = {
    "IMAGE_REPO_convex_alerts": "convex-alerts",
    "IMAGE_TAG_convex_alerts": "a1b2",
    "IMAGE_DIGEST_convex_alerts": "",
}
VALUES = {"CONVEX_VALUES": "charts/convex-alerts/ci/external-values.yaml"}
Json = dict[str, Any]


def with_profile(name: str) -> Json:
    """The configuration with a profile's patches."""
    config: Json = yaml.safe_load(CONFIG.read_text())
    profile: Json = next((found for found in config["profiles"] if found["name"] == name), {"patches": []})
    for patch in profile["patches"]:
        *parents, last = patch["path"].strip("/").split("/")
        at: Any = config
        for key in parents:
            at = at[int(key)] if isinstance(at, list) else at[key]
        if patch["op"] != "add":
            assert last in at, f"{name}: {patch['path']} is not there to {patch['op']}"
        if patch["op"] == "remove":
            del at[last]
        else:
            at[last] = copy.deepcopy(patch["value"])
    return config


def templated(text: str, known: dict[str, str]) -> str:
    """Go's template as far as it is used here; an unknown name is an error, as it is to Skaffold."""
    return re.sub(r"\{\{\.(\w+)\}\}", lambda match: known[match[1]], text)


def release(name: str) -> Json:
    (found,) = with_profile(name)["deploy"]["helm"]["releases"]
    return dict(found)


def rendered(name: str, image: dict[str, str]) -> Manifests:
    its = release(name)
    assert its["chartPath"] == "charts/convex-alerts"
    values: Json = {}
    said = {**its["setValues"], **{key: templated(text, image) for key, text in its["setValueTemplates"].items()}}
    for path, value in said.items():
        *parents, last = path.split(".")
        at = values
        for key in parents:
            at = at.setdefault(key, {})
        at[last] = value
    files = [REPOSITORY / templated(path, VALUES) for path in its.get("valuesFiles", [])]
    return render(files, values=values, release=its["name"])


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_of_the_schema(profile: str) -> None:
    folder = next((found for found in SCHEMAS if found.is_dir()), None)
    if folder is None:
        pytest.skip("the schema of Skaffold lies beside the repository, where it does")
    config = with_profile(profile)
    schema = json.loads((folder / "skaffold-v4beta13.json").read_text())
    jsonschema_rs.validator_for(schema).validate(config)
    assert config["apiVersion"] == "skaffold/v4beta13"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (PUSHED, f"registry.example.com/team/convex-alerts:v1-2-g3@{DIGEST}"),
        (LOADED, "convex-alerts:a1b2"),
    ],
    ids=["pushed to a registry", "loaded into kind"],
)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_container_of_the_product_has_the_image_that_was_built(
    profile: str, image: dict[str, str], expected: str
) -> None:
    stores = ("postgresql", "valkey", "cache")
    images = {
        container["image"]
        for document in rendered(profile, image)
        if document.pod and document.component not in stores
        for kind in ("containers", "initContainers")
        for container in document.pod.body["spec"].get(kind, [])
    }
    assert images == {expected}


def test_where_files_are_copied_the_root_can_be_written_and_nowhere_else() -> None:
    for profile in PROFILES:
        gateway = rendered(profile, LOADED).all("Deployment", component="gateway")[0].template
        context = gateway.body["spec"]["containers"][0]["securityContext"]
        assert context["readOnlyRootFilesystem"] is (profile != "dev"), profile


def test_sources_are_copied_to_where_the_dev_image_looks_for_them() -> None:
    artifact = with_profile("dev")["build"]["artifacts"][0]
    assert artifact["docker"]["target"] == "dev"
    looked_at = stages()["dev"].environment["PYTHONPATH"].split(":")
    rules = artifact["sync"]["manual"]
    assert {rule["dest"] for rule in rules} == {"/src"}
    for folder in looked_at:
        source = Path(folder).relative_to("/src")
        assert [rule for rule in rules if (source / "x" / "y.py").match(rule["src"].replace("/**/*", "/*/*"))], folder


def test_what_is_forwarded_and_verified_is_there() -> None:
    config, manifests = with_profile("ci"), rendered("ci", LOADED)
    ports = {(service.name, port["port"]) for service in manifests.all("Service") for port in service.spec["ports"]}
    for forward in config["portForward"]:
        assert (forward["resourceName"], forward["port"]) in ports
    (case,) = config["verify"]
    script = case["container"]["args"][0]
    names = re.search(r"for name in \((.*)\)", script)
    assert names
    urls = ["http://convex-alerts-gateway/readyz"]
    urls += [f"http://convex-alerts-{name}-metrics:9090/readyz" for name in re.findall(r'"(\w+)"', names[1])]
    assert len(urls) == 6
    for url in urls:
        assert (urlsplit(url).hostname, urlsplit(url).port or 80) in ports, url
    compile(script, "verify", "exec")
