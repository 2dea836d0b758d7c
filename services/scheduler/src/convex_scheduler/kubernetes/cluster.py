"""The cluster's API, by the `kubernetes` client: one namespace, CronJobs and Jobs, every request bounded in time.

Importing it costs a second and 40 MB; only a scheduler that asks a cluster does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from convex_common.metrics import Metrics
from convex_scheduler.kubernetes import objects
from convex_scheduler.kubernetes.errors import AlreadyThere, ClusterAway, ClusterRefused
from convex_scheduler.kubernetes.objects import CronJob, Job

TIMEOUT: Final = (3.0, 10.0)
"""Seconds to connect, and to wait for an answer."""

PAGE: Final = 100
FIELD_MANAGER: Final = "convex-scheduler"
LONGEST_WAIT: Final = 60.0
_MESSAGE_LENGTH: Final = 300
_GONE: Final = 410

Configured = Callable[[], client.Configuration]
"""Reads the address, the certificate and the token anew. ClusterAway where they are not there."""

T = TypeVar("T")


class Cluster:
    """CronJobs and Jobs of one namespace that a selector picks. For one thread. ClusterAway, ClusterRefused.

    After a failure of the connection or of the credentials it is configured anew: certificates and tokens are replaced
    while a process lives.
    """

    def __init__(self, configured: Configured, namespace: str, selector: str, metrics: Metrics) -> None:
        self._configured = configured
        self.namespace = namespace
        self._selector = selector
        self._metrics = metrics
        self._api: client.BatchV1Api | None = None

    def cron_jobs(self) -> list[CronJob]:
        """All of them."""
        return self._all("list cronjobs", "list_namespaced_cron_job", objects.cron_jobs)

    def jobs(self) -> list[Job]:
        """All of them."""
        return self._all("list jobs", "list_namespaced_job", objects.jobs)

    def cron_job(self, name: str) -> CronJob:
        """One of them."""
        return self._asked("get cronjob", "read_namespaced_cron_job", objects.cron_job, name)

    def job(self, name: str) -> Job | None:
        """One Job, of whatever labels; None where there is none."""
        try:
            return self._asked("get job", "read_namespaced_job", objects.job, name)
        except ClusterRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def create(self, manifest: dict[str, Any]) -> Job:
        """Make a Job. AlreadyThere where there is one of this name."""
        return self._asked(
            "create job", "create_namespaced_job", objects.job, body=manifest, field_manager=FIELD_MANAGER
        )

    def suspend(self, name: str, suspended: bool) -> CronJob:
        """Take a CronJob off its schedule, or put it back; what it is then."""
        return self._asked(
            "patch cronjob",
            "patch_namespaced_cron_job",
            objects.cron_job,
            name,
            body={"spec": {"suspend": suspended}},
            field_manager=FIELD_MANAGER,
            _content_type="application/merge-patch+json",
        )

    def close(self) -> None:
        """Give its connections back."""
        if self._api is not None:
            self._api.api_client.close()
            self._api = None

    def _all(self, told: str, operation: str, parse: Callable[[bytes], tuple[list[T], str | None]]) -> list[T]:
        try:
            return self._pages(told, operation, parse)
        except ClusterRefused as refusal:
            if refusal.status != _GONE:
                raise
        return self._pages(told, operation, parse)  # the list took too long: what it went on from is forgotten

    def _pages(self, told: str, operation: str, parse: Callable[[bytes], tuple[list[T], str | None]]) -> list[T]:
        found: list[T] = []
        at: str | None = None
        while True:
            more = {} if at is None else {"_continue": at}
            page, at = self._asked(told, operation, parse, label_selector=self._selector, limit=PAGE, **more)
            found += page
            if at is None:
                return found

    def _asked(self, told: str, operation: str, parse: Callable[[bytes], T], *names: str, **more: Any) -> T:
        try:
            if self._api is None:
                self._api = client.BatchV1Api(client.ApiClient(self._configured()))
                self._api.api_client.user_agent = FIELD_MANAGER
            ask = getattr(self._api, operation)
            answer = ask(*names, namespace=self.namespace, _request_timeout=TIMEOUT, _preload_content=False, **more)
            return parse(answer.data)
        except ApiException as error:
            failure = _failure(told, error)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            failure = ClusterAway(f"{told}: {type(error).__name__}: {_short(str(error))}")
        except config.ConfigException as error:
            failure = ClusterAway(f"{told}: {_short(str(error))}")
        except msgspec.MsgspecError as error:
            failure = ClusterAway(f"{told}: the answer cannot be read: {_short(str(error))}")
        if isinstance(failure, ClusterAway) and failure.status in (0, 401):
            self.close()
        if not isinstance(failure, AlreadyThere):
            self._metrics.kubernetes_request_errors.labels(told, str(failure.status)).inc()
        raise failure


def _failure(told: str, error: ApiException) -> ClusterAway | ClusterRefused | AlreadyThere:
    status = int(error.status or 0)
    reason, message = _status_of(error)
    told = f"{told}: {status} {message}" if status else f"{told}: {message}"
    if status == 409 and reason == "AlreadyExists":
        return AlreadyThere(told, status)
    if status in (0, 401, 408, 429) or status >= 500:
        return ClusterAway(told, status, _retry_after(error))
    return ClusterRefused(told, status)


def _status_of(error: ApiException) -> tuple[str, str]:
    """The reason and the message of the API's `Status`, or of HTTP where there is none."""
    try:
        status = json.loads(error.body or "")
        return str(status["reason"]), _short(str(status["message"]))
    except (ValueError, KeyError, TypeError):
        return "", _short(str(error.reason or "no reason"))


def _retry_after(error: ApiException) -> float | None:
    try:
        return min(LONGEST_WAIT, max(0.0, float((error.headers or {}).get("Retry-After", ""))))
    except ValueError:
        return None


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _MESSAGE_LENGTH else f"{line[:_MESSAGE_LENGTH]}…"


def in_cluster(service_account: Path) -> Configured:
    """As a pod knows it: by the service account that is mounted, whose token is read again every minute."""

    def configured() -> client.Configuration:
        made = _configuration()
        loader = config.incluster_config.InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=str(service_account / "token"), cert_filename=str(service_account / "ca.crt")
        )
        loader.load_and_set(made)  # type: ignore[no-untyped-call]
        return made

    return configured


def by_kubeconfig(path: str) -> Configured:
    """As a person knows it, for development."""

    def configured() -> client.Configuration:
        made = _configuration()
        config.load_kube_config(config_file=path, client_configuration=made)  # type: ignore[no-untyped-call]
        return made

    return configured


def _configuration() -> client.Configuration:
    made = client.Configuration()
    made.retries = False  # a request is tried again by what asked for it, which knows how long it may wait
    return made
