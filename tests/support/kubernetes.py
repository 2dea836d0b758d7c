"""A Kubernetes API as far as CronJobs and Jobs go: real HTTP, the API server's own refusals, and a Role to hold to.

It stores what it is given, checks bodies by Kubernetes' own schemas, pages lists, merges patches, and keeps a record of
who asked for what and which rule of the Role let it through.
"""

from __future__ import annotations

import base64
import copy
import datetime as dt
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import trustme

from tests.support.schemas import problems

Json = dict[str, Any]

NAMESPACE: Final = "alerting"
TOKEN: Final = "only-for-tests"
KINDS: Final = {"cronjobs": "CronJob", "jobs": "Job"}
KUBE_VERSION: Final = "1.33"
EVERYTHING: Final = ({"apiGroups": ["batch"], "resources": ["*"], "verbs": ["*"]},)


@dataclass(frozen=True)
class Asked:
    """One request; `rule` is the number of the Role's rule that allowed it."""

    verb: str
    resource: str
    name: str
    rule: int | None
    status: int


@dataclass
class Fault:
    """What becomes of the next requests of some verb and resource: a status, or no answer at all (0)."""

    status: int
    message: str = "injected"
    verb: str = ""
    resource: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1_000_000
    after: bool = False
    """Whether the request is carried out before."""


class Refusal(Exception):  # noqa: N818 - reads as an outcome
    """What the API server answers instead."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.headers = status, reason, headers or {}


class KubernetesApi:
    """One namespace of a cluster, held to the rules of a Role. Stopped and started again it keeps what it stores."""

    def __init__(self, rules: Sequence[Mapping[str, Any]] = EVERYTHING, *, folder: Path) -> None:
        self.rules = list(rules)
        self.tokens = {TOKEN}
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in KINDS}
        self._folder = folder
        self._version = 1000
        self._snapshots: dict[str, list[Json]] = {}
        self._lock = threading.RLock()
        self._server: _Server | None = None
        self.port = 0

    # What tests do to it.

    def start(self, *, tls: bool = False) -> None:
        """Listen, on the same port as before."""
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = int(self._server.server_address[1])
        if tls:
            authority = trustme.CA()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            authority.cert_pem.write_to_path(str(self._folder / "ca.crt"))
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections, and break those that there are."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It takes requests, and answers when this ends."""
        with self._lock:
            yield

    @property
    def kubeconfig(self) -> str:
        """The path of one that leads here."""
        path = self._folder / "kubeconfig"
        server = {"server": f"http://127.0.0.1:{self.port}"}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "here", "cluster": server}],
                    "users": [{"name": "me", "user": {"token": TOKEN}}],
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                    "current-context": "here",
                }
            )
        )
        return str(path)

    def service_account(self, token: str = TOKEN) -> Path:
        """The folder that a pod has mounted, with this token from now on."""
        (self._folder / "token").write_text(token)
        return self._folder

    def environment(self, selector: str) -> dict[str, str]:
        """What the scheduler is given to find it."""
        return {
            "KUBERNETES_JOBS": "true",
            "KUBERNETES_NAMESPACE": NAMESPACE,
            "KUBERNETES_SELECTOR": selector,
            "KUBERNETES_LOOK_SECONDS": "0.5",
            "KUBECONFIG": self.kubeconfig,
        }

    def add(self, *manifests: Mapping[str, Any]) -> None:
        """Objects as an administrator applies them."""
        for manifest in manifests:
            resource = next(name for name, kind in KINDS.items() if kind == manifest["kind"])
            with self._lock:
                self._create(resource, copy.deepcopy(dict(manifest)))

    def change(self, resource: str, name: str, patch: Json) -> None:
        """As an administrator does it by kubectl."""
        with self._lock:
            self._patch(resource, name, patch)

    def delete(self, resource: str, name: str) -> None:
        with self._lock:
            del self.objects[resource][name]

    def get(self, resource: str, name: str) -> Json:
        with self._lock:
            return copy.deepcopy(self.objects[resource][name])

    def names(self, resource: str) -> list[str]:
        with self._lock:
            return sorted(self.objects[resource])

    def end(self, job: str, *, failed: str = "") -> None:
        """What the Job controller does when the pod is over."""
        now = _now()
        condition = {"type": "Failed" if failed else "Complete", "status": "True", "lastTransitionTime": now}
        if failed:
            condition |= {"reason": failed, "message": "Job has reached the specified backoff limit"}
        status = {"startTime": now, "conditions": [condition]} | ({} if failed else {"completionTime": now})
        self.change("jobs", job, {"status": status})

    def count(self, verb: str, resource: str) -> int:
        """How often it was asked so, with whatever outcome."""
        return sum((one.verb, one.resource) == (verb, resource) for one in list(self.asked))

    @property
    def refused(self) -> list[Asked]:
        """What the Role did not allow, and what there is not."""
        return [one for one in list(self.asked) if one.rule is None]

    def unused(self) -> list[tuple[str, str]]:
        """What the Role allows and nobody asked for: verb and resource."""
        used = {(one.rule, one.verb, one.resource) for one in list(self.asked) if one.rule is not None}
        return [
            (verb, resource)
            for number, rule in enumerate(self.rules)
            for resource in rule["resources"]
            for verb in rule["verbs"]
            if (number, verb, resource) not in used
        ]

    # What it answers.

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Json, Any]:
        """Status, body, headers. ConnectionAbortedError where there is to be no answer."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        at = ["apis", "batch", "v1", "namespaces", NAMESPACE]
        known = path[:5] == at and len(path) in (6, 7) and path[5] in KINDS
        resource, name = (path[5], "".join(path[6:7])) if known else (parts.path, "")
        verb = _verb(method, name, query)
        rule, status = None, 500
        try:
            if headers.get("authorization", "").lower() not in {f"bearer {token}" for token in self.tokens}:
                raise Refusal(401, "Unauthorized", "Unauthorized")
            rule = self._rule(verb, resource, name)
            if rule is None:
                user = f"system:serviceaccount:{NAMESPACE}:scheduler"
                raise Refusal(
                    403,
                    "Forbidden",
                    f'{resource}.batch "{name}" is forbidden: User "{user}" cannot {verb} resource "{resource}" '
                    f'in API group "batch" in the namespace "{NAMESPACE}"',
                )
            fault = self._fault(verb, resource)
            if fault is not None and not fault.after:
                _fail(fault)
            with self._lock:
                status, answer = self._done(verb, resource, name, query, headers, body)
            if fault is not None:
                _fail(fault)
            return status, answer, {}
        except Refusal as refusal:
            status = refusal.status
            told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
            return status, {**told, "reason": refusal.reason, "message": str(refusal)}, refusal.headers
        finally:
            self.asked.append(Asked(verb, resource, name, rule, status))

    def _fault(self, verb: str, resource: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.verb in ("", verb) and fault.resource in ("", resource):
                fault.times -= 1
                return fault
        return None

    def _rule(self, verb: str, resource: str, name: str) -> int | None:
        for number, rule in enumerate(self.rules):
            names = rule.get("resourceNames")
            if (
                "batch" in rule["apiGroups"]
                and {"*", resource} & set(rule["resources"])
                and {"*", verb} & set(rule["verbs"])
                and (not names or (verb not in ("list", "watch", "create") and name in names))
            ):
                return number
        return None

    def _done(
        self, verb: str, resource: str, name: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Json]:
        if resource not in KINDS:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        match verb:
            case "list":
                return 200, self._list(resource, query)
            case "get":
                return 200, self._found(resource, name)
            case "create":
                return 201, self._create(resource, _parsed(body))
            case "patch":
                if headers.get("content-type") != "application/merge-patch+json":
                    raise Refusal(415, "UnsupportedMediaType", f"{headers.get('content-type')} is not spoken here")
                return 200, self._patch(resource, name, _parsed(body))
        raise Refusal(405, "MethodNotAllowed", f"{verb} is not spoken here")

    def _found(self, resource: str, name: str) -> Json:
        if name not in self.objects[resource]:
            raise Refusal(404, "NotFound", f'{resource}.batch "{name}" not found')
        return self.objects[resource][name]

    def _list(self, resource: str, query: Mapping[str, str]) -> Json:
        """A page of what there was when the list was begun."""
        start, snapshot = 0, str(self._version)
        if "continue" in query:
            snapshot, _, offset = base64.b64decode(query["continue"]).decode().partition(":")
            start = int(offset)
            if snapshot not in self._snapshots:
                raise Refusal(410, "Expired", "The provided continue parameter is too old")
        else:
            wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
            self._snapshots[snapshot] = [
                copy.deepcopy(found)
                for _, found in sorted(self.objects[resource].items())
                if wanted.items() <= (found["metadata"].get("labels") or {}).items()
            ]
        end = start + int(query.get("limit", 500))
        found = self._snapshots[snapshot]
        metadata: Json = {"resourceVersion": snapshot}
        if end < len(found):
            metadata |= {"continue": base64.b64encode(f"{snapshot}:{end}".encode()).decode()}
            metadata |= {"remainingItemCount": len(found) - end}
        return {"kind": f"{KINDS[resource]}List", "apiVersion": "batch/v1", "metadata": metadata,
                "items": found[start:end]}  # fmt: skip

    def forget_lists(self) -> None:
        """As after a compaction of etcd: lists that were begun cannot be gone on with."""
        self._snapshots.clear()

    def _create(self, resource: str, given: Json) -> Json:
        self._checked(resource, given)
        metadata = given["metadata"]
        if metadata["name"] in self.objects[resource]:
            raise Refusal(409, "AlreadyExists", f'{resource}.batch "{metadata["name"]}" already exists')
        for owner in metadata.get("ownerReferences") or ():
            known = self.objects["cronjobs"].get(owner["name"])
            if known is None or known["metadata"]["uid"] != owner["uid"]:
                raise Refusal(422, "Invalid", f"the owner {owner['name']} is not there")  # would be collected at once
        metadata |= {"uid": str(uuid.uuid4()), "namespace": NAMESPACE, "creationTimestamp": _now()}
        given.setdefault("status", {"active": 1} if resource == "jobs" else {})
        if resource == "cronjobs":
            given["spec"].setdefault("suspend", False)
        return self._stored(resource, given)

    def _patch(self, resource: str, name: str, patch: Json) -> Json:
        changed = _merged(copy.deepcopy(self._found(resource, name)), patch)
        self._checked(resource, changed)
        return self._stored(resource, changed)

    def _stored(self, resource: str, given: Json) -> Json:
        self._version += 1
        given["metadata"]["resourceVersion"] = str(self._version)
        self.objects[resource][given["metadata"]["name"]] = given
        return copy.deepcopy(given)

    def _checked(self, resource: str, given: Json) -> None:
        kind = KINDS[resource]
        if (given.get("apiVersion"), given.get("kind")) != ("batch/v1", kind):
            raise Refusal(400, "BadRequest", f"this is no {kind}")
        wrong = problems(given, KUBE_VERSION)
        if len(given["metadata"].get("name", "")) > (63 if kind == "Job" else 52):
            wrong.append("metadata.name: is too long")
        if wrong:
            raise Refusal(422, "Invalid", f"{kind} is invalid: {'; '.join(wrong[:3])}")


def _fail(fault: Fault) -> None:
    if fault.status == 0:
        raise ConnectionAbortedError
    raise Refusal(fault.status, "Injected", fault.message, fault.headers)


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method == "GET":
        return "get" if name else "watch" if query.get("watch") else "list"
    plain = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete" if name else "deletecollection"}
    return plain[method]


def _parsed(body: bytes) -> Json:
    try:
        found: Json = json.loads(body)
    except ValueError:
        raise Refusal(400, "BadRequest", "the body is no JSON") from None
    return found


def _merged(into: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = into if isinstance(into, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lines: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._lines.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._lines.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for line in list(self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was to break did."""


def _handler(api: KubernetesApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, told, headers = api.answer(
                self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body
            )
            encoded = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 - the base class names them so

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Silent."""

    return Handler


@contextmanager
def kubernetes_api(
    folder: Path, rules: Sequence[Mapping[str, Any]] = EVERYTHING, *, tls: bool = False
) -> Iterator[KubernetesApi]:
    """One that listens until the block ends."""
    api = KubernetesApi(rules, folder=folder)
    api.start(tls=tls)
    try:
        yield api
    finally:
        api.stop()


def a_cron_job(
    job: str, *, command: Sequence[str] | None = None, labels: Mapping[str, str] | None = None, **spec: Any
) -> Json:
    """A CronJob as the chart has it, of the installation `alerts`."""
    own = {
        "app.kubernetes.io/instance": "alerts",
        "app.kubernetes.io/component": "job",
        "convex-alerts.io/job": job,
        **(labels or {}),
    }
    container = {"name": "job", "image": "alerts:1", "command": list(command or ("convex-scheduler", "run", job))}
    pod = {"metadata": {"labels": own}, "spec": {"restartPolicy": "Never", "containers": [container]}}
    template = {"metadata": {"labels": own}, "spec": {"backoffLimit": 2, "template": pod}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"alerts-{job}", "labels": own},
        "spec": {"schedule": "0 * * * *", "timeZone": "Etc/UTC", "jobTemplate": template, **spec},
    }


SELECTOR: Final = "app.kubernetes.io/instance=alerts,app.kubernetes.io/component=job"
