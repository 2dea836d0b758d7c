"""Values that are wrong are refused, with a message that names them; values that are right have their effect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.chart import objects, wiring
from tests.chart.examples import EXTERNAL, FILES, every_example, rendered
from tests.support.manifests import CHART, NAMESPACE, RELEASE, Refused, helm, render, template

OWN_STORES: Mapping[str, Any] = {"postgresql": {"enabled": False}, "valkey": {"enabled": False}}

REFUSED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "a typo at the root": ({"gatway": {}}, "gatway"),
    "a typo within": ({"gateway": {"replicas": 3}}, "replicas"),
    "a typo deep within": ({"gateway": {"autoscaling": {"minPods": 3}}}, "minPods"),
    "a typo in a job": ({"jobs": {"predictions": {"schedul": "0 3 * * *"}}}, "schedul"),
    "a job that there is not": ({"jobs": {"backup": {"enabled": True, "schedule": "0 3 * * *"}}}, "backup"),
    "words for a number": ({"gateway": {"replicaCount": "two"}}, "replicaCount"),
    "a number for words": ({"image": {"tag": 1.1}}, "tag"),
    "no schedule": ({"jobs": {"retention": {"schedule": "at night"}}}, "schedule"),
    "an unknown level": ({"logLevel": "LOUD"}, "logLevel"),
    "a port beyond all": ({"gateway": {"port": 80800}}, "port"),
    "no pods": ({"processor": {"keda": {"enabled": True, "minReplicas": 0}}}, "minReplicas"),
    "a proxy in one word": ({"gateway": {"forwardedAllowIps": "10.0.0.0/8"}}, "forwardedAllowIps"),
    "an address with a path": ({"publicUrl": "https://a.example.com/alerts"}, "publicUrl"),
    "two autoscalers": (
        {"processor": {"autoscaling": {"enabled": True}, "keda": {"enabled": True}}}, "processor.keda.enabled",
    ),
    "an autoscaler upside down": (
        {"gateway": {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}}, "gateway.autoscaling.min",
    ),
    "no database": ({"postgresql": {"enabled": False}}, "database.existingSecret"),
    "no owner": (
        {**OWN_STORES, "database": {"url": EXTERNAL["database-url"]}, "redis": {"existingSecret": "r"}}, "ownerUrl",
    ),
    "no redis": ({"valkey": {"enabled": False}}, "redis.existingSecret"),
    "two databases": ({"database": {"existingSecret": "mine"}}, "postgresql.enabled"),
    "no key for tokens": (
        {
            **OWN_STORES, "database": {"existingSecret": "d"}, "redis": {"existingSecret": "r"},
            "encryption": {"existingSecret": "e"},
        },
        "auth.existingSecret",
    ),
    "no key for secrets": (
        {
            **OWN_STORES, "database": {"existingSecret": "d"}, "redis": {"existingSecret": "r"},
            "auth": {"existingSecret": "a"},
        },
        "encryption.existingSecret",
    ),
    "no sender": ({"smtp": {"host": "mail.example.com"}}, "smtp.from"),
    "no client": ({"publicUrl": "https://a.example", "auth": {"oidc": {"issuer": "https://i.example"}}}, "clientId"),
    "no address": ({"auth": {"oidc": {"issuer": "https://i.example.com", "clientId": "c"}}}, "publicUrl"),
    "an impatient notifier": ({"notifier": {"terminationGracePeriodSeconds": 10}}, "notifier.terminationGrace"),
    "an impatient gateway": ({"gateway": {"preStopSleepSeconds": 40}}, "gateway.terminationGracePeriodSeconds"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_value_is_refused_by_its_name(case: str) -> None:
    values, named = REFUSED[case]
    with pytest.raises(Refused) as refusal:
        template(values=values)
    assert named in str(refusal.value)


def test_an_old_cluster_is_refused() -> None:
    with pytest.raises(Refused, match=r"1\.29.*1\.30|incompatible"):
        template(kube_version="1.29.0")


def test_what_belongs_to_an_umbrella_chart_passes() -> None:
    """A parent puts things into `global` that are not this chart's business."""
    assert render(values={"global": {"storageClass": "fast", "theirs": {"more": 1}}}).documents


@every_example
def test_notes_tell_what_to_do_next(example: str) -> None:
    files = [argument for file in FILES[example] for argument in ("--values", file)]
    told = helm("install", RELEASE, CHART, "--namespace", NAMESPACE, "--dry-run=client", *files)
    notes = told.partition("NOTES:")[2]
    assert f"helm test {RELEASE} -n {NAMESPACE}" in notes
    assert not re.search(r"<no value>|%!|\{\{|nil", notes)
    for name in re.findall(r"(?:deployment|service|secret)[/ ](convex[\w-]*)", notes):
        assert any(each.name == name for each in rendered(example)) or name == "convex-alerts-production", name
    assert ("NOT FOR PRODUCTION" in notes) is bool(rendered(example).all("StatefulSet"))


@pytest.mark.parametrize("release", ["a", "convex-alerts", "a-release-" + "x" * 43])
def test_names_fit_whatever_the_release_is_called(release: str) -> None:
    manifests = render(FILES["minimal"], release=release)
    assert objects.misnamed(manifests) == []
    assert wiring.misselecting(manifests) == []
    assert wiring.unlabelled(manifests) == []


def test_two_releases_share_a_namespace_without_touching_each_other() -> None:
    one, other = render(FILES["minimal"], release="one"), render(FILES["minimal"], release="other")
    names = [{(each.kind, each.name) for each in manifests} for manifests in (one, other)]
    assert names[0].isdisjoint(names[1])
    for mine, theirs in ((one, other), (other, one)):
        for document in mine:
            selector = document.body.get("spec", {}).get("selector") if document.kind != "Service" else None
            if isinstance(selector, dict):
                assert not any(wiring.selects(selector, pod.labels) for pod in theirs.pods), document


def test_an_upgrade_changes_no_selector_and_no_name() -> None:
    """What a cluster refuses to change: selectors of workloads, templates of Jobs, claims of StatefulSets."""
    before = render(FILES["minimal"])
    after = render(
        FILES["minimal"], values={"image": {"tag": "9.9.9"}, "logLevel": "DEBUG", "podLabels": {"team": "x"}}
    )
    jobs = [{job.name for job in manifests.all("Job")} for manifests in (before, after)]
    assert jobs[0].isdisjoint(jobs[1])
    for old in before:
        if old.kind == "Job":
            continue
        new = after.one(old.kind, name=old.name)
        for field in ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy"):
            if old.kind in {"Deployment", "StatefulSet"}:
                assert old.spec.get(field) == new.spec.get(field), (old, field)


def test_a_digest_counts_more_than_a_tag() -> None:
    digest = "sha256:" + "a" * 64
    manifests = render(values={"image": {"digest": digest, "tag": "1.2.3"}})
    assert manifests.one("Deployment", component="gateway").template.main.body["image"].endswith(f":1.2.3@{digest}")


def test_a_change_of_a_secret_rolls_the_pods() -> None:
    rolled = [
        render(FILES["minimal"], values={"auth": {"jwtSecret": secret * 4}}).one("Deployment", component="gateway")
        for secret in ("0123456789", "9876543210")
    ]
    assert rolled[0].template.annotations != rolled[1].template.annotations
