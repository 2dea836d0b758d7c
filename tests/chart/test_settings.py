"""Every variable that the chart sets is a setting that is read; a secret goes where it is needed, as a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from convex_analytics.settings import AnalyticsSettings
from convex_common.settings import load
from convex_common.timetable import TIMETABLE
from convex_gateway.settings import GatewaySettings
from convex_notifier.settings import NotifierSettings
from convex_processor.settings import ProcessorSettings
from convex_scheduler.settings import SchedulerSettings
from tests.chart.examples import every_example, external, rendered
from tests.chart.pods import STORES
from tests.support.manifests import Container, Manifests, Pod, render

SETTINGS: Mapping[str, type[BaseSettings]] = {
    "convex-analytics": AnalyticsSettings,
    "convex-gateway": GatewaySettings,
    "convex-notifier": NotifierSettings,
    "convex-processor": ProcessorSettings,
    "convex-scheduler": SchedulerSettings,
}
COMMANDS: Mapping[str, frozenset[str]] = {
    "python -m convex_common.postgres.migrate": frozenset({"DATABASE_URL", "DATABASE_OWNER_URL"}),
    "convex admin": frozenset({"DATABASE_OWNER_URL", "BOOTSTRAP_API_KEY"}),
}
"""What commands read that have no class of settings."""

TELEMETRY = re.compile(r"OTEL_[A-Z_]+")
SECRETS: Mapping[str, frozenset[str]] = {
    "BOOTSTRAP_API_KEY": frozenset({"bootstrap", "test"}),
    "CACHE_REDIS_URL": frozenset({"analytics", "gateway", "job", "notifier", "processor", "scheduler"}),
    "DATABASE_OWNER_URL": frozenset({"bootstrap", "job", "migrate", "scheduler"}),
    "DATABASE_URL": frozenset(
        {"analytics", "bootstrap", "gateway", "job", "migrate", "notifier", "processor", "scheduler"}
    ),
    "DEADMAN_URL": frozenset({"scheduler"}),
    "ENCRYPTION_KEYS": frozenset({"gateway", "notifier"}),
    "JWT_SECRET": frozenset({"gateway"}),
    "OIDC_CLIENT_SECRET": frozenset({"gateway"}),
    "OTEL_EXPORTER_OTLP_HEADERS": frozenset({"analytics", "gateway", "job", "notifier", "processor", "scheduler"}),
    "REDIS_URL": frozenset({"analytics", "gateway", "job", "notifier", "processor", "scheduler"}),
    "SMTP_PASSWORD": frozenset({"notifier"}),
}
"""Which components may be given a secret."""


def product(manifests: Manifests) -> Iterator[tuple[Pod, Container]]:
    """The containers of the product's image."""
    for pod in manifests.pods:
        if pod.owner.component not in STORES:
            yield from ((pod, container) for container in (*pod.init_containers, *pod.containers))


def known(settings: type[BaseSettings]) -> frozenset[str]:
    """The variables that a class of settings reads."""
    names: set[str] = set()
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        names |= set(map(str, alias.choices)) if isinstance(alias, AliasChoices) else {name.upper()}
    return frozenset(names)


def reads(container: Container) -> frozenset[str]:
    """The variables that a container's command reads."""
    command = " ".join(container.argv)
    if container.argv[0] in SETTINGS:
        return known(SETTINGS[container.argv[0]])
    return next((names for start, names in COMMANDS.items() if command.startswith(start)), frozenset())


@every_example
def test_every_variable_is_one_that_is_read(example: str) -> None:
    unread = [
        f"{pod}: {container}: {name}"
        for pod, container in product(rendered(example))
        for name in (entry["name"] for entry in container.body.get("env", ()))
        if name not in reads(container)
        and not TELEMETRY.fullmatch(name)
        and not any(f"$({name})" in str(entry.get("value")) for entry in container.body["env"])
        and pod.owner.hooks.isdisjoint({"test"})
    ]
    assert unread == []


@every_example
def test_every_service_takes_its_settings(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = rendered(example)
    taken = 0
    for pod, container in product(manifests):
        if container.argv[0] not in SETTINGS:
            continue
        with monkeypatch.context() as patch:
            for name in known(SETTINGS[container.argv[0]]):
                patch.delenv(name, raising=False)
            for name, value in manifests.environment(pod, container, external(example)).items():
                patch.setenv(name, value)
            load(SETTINGS[container.argv[0]])
        taken += 1
    assert taken == len(manifests.all("Deployment")) + len(manifests.all("CronJob"))


@every_example
def test_secrets_go_where_they_are_needed_and_by_reference(example: str) -> None:
    found = []
    for pod, container in product(rendered(example)):
        for entry in container.body.get("env", ()):
            name = entry["name"]
            if name in SECRETS and pod.owner.component not in SECRETS[name]:
                found.append(f"{pod}: {container} is given {name}")
            if name in SECRETS and "secretKeyRef" not in entry.get("valueFrom", {}):
                found.append(f"{pod}: {container} has {name} in the open")
    assert found == []


@every_example
def test_only_the_jobs_that_change_tables_know_the_owner(example: str) -> None:
    owners = {
        job.labels["convex-alerts.io/job"]
        for job in rendered(example).all("CronJob")
        if any(entry["name"] == "DATABASE_OWNER_URL" for entry in job.template.main.body["env"])
    }
    assert owners in (set(), {job.name for job in TIMETABLE if job.needs_owner})


@every_example
def test_no_secret_is_told_outside_of_a_secret(example: str) -> None:
    manifests = rendered(example)
    secrets = {
        part
        for secret in manifests.all("Secret")
        for value in secret.data.values()
        for part in (value.strip(), unquote(urlsplit(value.strip()).password or "") if "://" in value else "")
        if len(part) >= 8
    }
    assert secrets or example not in {"defaults", "minimal"}
    for document in manifests:
        if document.kind != "Secret":
            told = [secret for secret in secrets if secret in str(document.body)]
            assert not told, f"{document} tells a secret"


@pytest.mark.parametrize("example", ["defaults", "minimal"])
def test_an_evaluations_parts_agree_on_their_passwords(example: str) -> None:
    manifests = rendered(example)
    postgres = manifests.one("StatefulSet", component="postgresql").template
    server = manifests.environment(postgres, postgres.main)
    gateway = manifests.one("Deployment", component="gateway").template
    service = urlsplit(manifests.environment(gateway, gateway.main)["DATABASE_URL"])
    migrate = manifests.one("Job", component="migrate").template
    owner = urlsplit(manifests.environment(migrate, migrate.main)["DATABASE_OWNER_URL"])
    assert (service.username, unquote(service.password or "")) == (server["SERVICE_ROLE"], server["SERVICE_PASSWORD"])
    assert (owner.username, unquote(owner.password or "")) == (server["POSTGRES_USER"], server["POSTGRES_PASSWORD"])
    assert service.path == owner.path == f"/{server['POSTGRES_DB']}"
    for url, component in ((service, "postgresql"), (owner, "postgresql")):
        name, namespace = str(url.hostname).split(".")[:2]
        assert (name, namespace) == (manifests.one("Service", component=component).name, "alerting")
    environment = manifests.environment(gateway, gateway.main)
    for variable, component in (("REDIS_URL", "valkey"), ("CACHE_REDIS_URL", "cache")):
        url = urlsplit(environment[variable])
        assert str(url.hostname).partition(".")[0] == manifests.one("Service", component=component).name
        store = manifests.one("StatefulSet", component=component).template
        assert manifests.environment(store, store.main)["REDISCLI_AUTH"] == unquote(url.password or "")


def test_the_bootstrap_writes_no_key_into_its_log() -> None:
    """Not even where the Secret for everything has none, which the chart cannot know."""
    job = rendered("ha-keda").one("Job", component="bootstrap").template
    environment = rendered("ha-keda").environment(
        job, job.main, {"convex-alerts-production": {"database-owner-url": "postgresql://owner@db/convex"}}
    )
    assert environment == {"DATABASE_OWNER_URL": "postgresql://owner@db/convex"}
    assert "--no-new-key" in job.main.argv


def test_awkward_passwords_survive_their_urls() -> None:
    """Characters that mean something in a URL, in YAML or in a shell."""
    password = "p@ss/w:rd?#%&='\"$(X) \\"
    manifests = render(
        values={"postgresql": {"auth": {"servicePassword": password}}, "valkey": {"auth": {"password": password}}}
    )
    gateway = manifests.one("Deployment", component="gateway").template
    environment = manifests.environment(gateway, gateway.main)
    for name in ("DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL"):
        assert unquote(urlsplit(environment[name]).password or "") == password


def test_numbers_are_written_as_people_write_them() -> None:
    """Helm reads 2592000 as a float, and prints that as 2.592e+06."""
    manifests = render(values={"auth": {"sessionTtlSeconds": 2_592_000}, "config": {"QUOTA_RULES": 12_000_000}})
    gateway = manifests.one("Deployment", component="gateway").template
    environment = manifests.environment(gateway, gateway.main)
    assert (environment["SESSION_TTL"], environment["QUOTA_RULES"]) == ("2592000", "12000000")


def test_what_the_user_adds_replaces_what_the_chart_sets() -> None:
    manifests = render(
        values={
            "config": {"LOG_LEVEL": "WARNING"},
            "extraEnv": [{"name": "LOG_LEVEL", "value": "ERROR"}],
            "gateway": {"extraEnv": [{"name": "LOG_LEVEL", "value": "DEBUG"}]},
        }
    )
    levels = {}
    for component in ("gateway", "processor"):
        pod = manifests.one("Deployment", component=component).template
        levels[component] = manifests.environment(pod, pod.main)["LOG_LEVEL"]
    assert levels == {"gateway": "DEBUG", "processor": "ERROR"}
