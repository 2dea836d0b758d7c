"""Every example, on every supported Kubernetes, with and without the operators' kinds: nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chart import examples, objects, pods, references, scaling, wiring
from tests.chart.examples import every_cluster, every_example, every_version, rendered
from tests.support.manifests import CHART, CUSTOM_RESOURCES, Manifests, helm, template
from tests.support.schemas import problems

CHECKS: tuple[Callable[[Manifests], list[str]], ...] = (
    objects.misnamed,
    objects.overreaching,
    pods.badly_ending,
    pods.badly_probed,
    pods.badly_timed,
    pods.careless,
    pods.trusting,
    pods.unrestricted,
    references.unhooked,
    scaling.badly_scaled,
    scaling.blocking,
    wiring.misselecting,
    wiring.unlabelled,
    wiring.unmonitored,
)


@every_version
@every_example
def test_helm_lints_it(example: str, version: str) -> None:
    files = [argument for file in examples.FILES[example] for argument in ("--values", file)]
    told = helm("lint", "--strict", "--kube-version", version, CHART, *files)
    assert "0 chart(s) failed" in told
    assert "[WARNING]" not in told


@every_cluster
@every_version
@every_example
def test_every_object_keeps_to_its_schema(example: str, version: str, cluster: str) -> None:
    manifests = rendered(example, version, cluster)
    found = [f"{each}: {problem}" for each in manifests for problem in problems(each.body, version)]
    assert not found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.__module__.rpartition('.')[2]}.{check.__name__}")
@every_cluster
@every_version
@every_example
def test_nothing_is(example: str, version: str, cluster: str, check: Callable[[Manifests], list[str]]) -> None:
    assert check(rendered(example, version, cluster)) == []


@every_cluster
@every_example
def test_what_is_named_is_there(example: str, cluster: str) -> None:
    assert references.dangling(rendered(example, cluster=cluster), examples.foreign(example)) == []


@every_example
def test_what_an_operator_would_read_needs_the_operator(example: str) -> None:
    """Left to itself a bare cluster gets nothing that it does not know, unless the example insists on it."""
    kinds = {kind.rpartition("/")[2] for kind in CUSTOM_RESOURCES}
    bare = {each.kind for each in rendered(example, cluster="bare")} & kinds
    assert example not in {"defaults", "minimal"} or not bare


@every_example
def test_two_renderings_are_the_same(example: str) -> None:
    if example == "defaults":
        pytest.skip("makes secrets up")
    assert template(examples.FILES[example], api_versions=examples.CLUSTERS["operators"]) == rendered(example).text


@every_example
def test_a_mirror_serves_every_image(example: str) -> None:
    from tests.support.manifests import render

    manifests = render(examples.FILES[example], values={"global": {"imageRegistry": "mirror.example.com:5000"}})
    assert objects.strays(manifests, "mirror.example.com:5000") == []


@every_example
def test_everything_is_in_the_releases_namespace(example: str) -> None:
    assert {each.namespace for each in rendered(example)} == {"alerting"}
