"""A real Prometheus, Debian's, with a configuration of the test's own, asked by its HTTP API."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests.support.debian import program_or_skip
from tests.support.eventually import eventually
from tests.support.ports import free_port

Series = Mapping[str, Any]
"""`metric` with its labels, and `values` or a single `value`."""


class Refused(Exception):  # noqa: N818 - reads as an outcome
    """Prometheus could not make sense of a query; the message is its own."""


class Prometheus:
    """Started and stopped by a `with` block; its files are in `folder`."""

    def __init__(self, folder: Path, config: Mapping[str, Any], *, features: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._port = free_port()
        self._arguments = [
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
            *(f"--enable-feature={feature}" for feature in features),
        ]
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=20.0)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [program_or_skip("prometheus"), *self._arguments], cwd=self._folder, stdout=log, stderr=log
            )
        eventually(self._ready, within=30.0, what="Prometheus ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    @property
    def log(self) -> str:
        """What it complained of."""
        return (self._folder / "log").read_text()

    def now(self, expression: str) -> list[Series]:
        """The series of an expression at this moment; of a number or a string, one without labels."""
        found = self._asked("query", query=expression)
        if found["resultType"] in {"scalar", "string"}:
            return [{"metric": {}, "value": found["result"]}]
        return list(found["result"])

    def over(self, expression: str, seconds: int, step: int) -> list[Series]:
        """The series of an expression over the last seconds."""
        end = time.time()
        found = self._asked("query_range", query=expression, start=end - seconds, end=end, step=step)
        return list(found["result"])

    def exemplars(self, expression: str, seconds: int) -> list[Series]:
        """Those of the histograms in an expression."""
        end = time.time()
        return list(self._asked("query_exemplars", query=expression, start=end - seconds, end=end))

    def values_of(self, label: str, metric: str) -> list[str]:
        """The values of a metric's label, as a variable of a dashboard asks for them."""
        return list(self._asked(f"label/{label}/values", **{"match[]": metric}))

    def targets(self) -> list[Mapping[str, Any]]:
        """What it scrapes, and how that went."""
        return list(self._asked("targets")["activeTargets"])

    def rules(self) -> list[Mapping[str, Any]]:
        """Every rule of every group, and how its evaluation went."""
        return [rule for group in self._asked("rules")["groups"] for rule in group["rules"]]

    def _asked(self, what: str, **query: Any) -> Any:
        answer = self._client.get(f"/api/v1/{what}", params=query).json()
        if answer["status"] != "success":
            raise Refused(f"{answer['error']} in {query.get('query', what)}")
        return answer["data"]

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Prometheus ended: {self.log}"
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False
