"""The runbooks' commands: shell that parses, SQL that the services' role may ask, PromQL of metrics that exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import yaml
from prometheus_client import CollectorRegistry

from convex_common.metrics import Metrics
from tests.chart.test_rules import RULES, RUNBOOKS, promtool
from tests.support.postgres import Store

PAGES: Final = {path.name: path.read_text() for path in sorted(RUNBOOKS.glob("*.md"))}
EXPRESSION: Final = re.compile(r"\b([a-z][a-z0-9_]*_[a-z0-9_]+)(?=[{\[ )]|$)")
MADE_BY_PROMETHEUS: Final = {"up"}


def blocks(text: str, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def expressions() -> dict[str, str]:
    """Every expression of the runbooks and of the rules, by where it is."""
    found = {f"{page} {n}": one for page, text in PAGES.items() for n, one in enumerate(blocks(text, "promql"))}
    for path in RULES.glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                found[str(rule.get("alert") or rule["record"])] = rule["expr"]
    return found


def known() -> set[str]:
    """The samples of every metric that there is, told or not."""
    metrics = Metrics(CollectorRegistry())
    for name in dir(type(metrics)):
        getattr(metrics, name)
    names = {"process_open_fds", "process_max_fds", "process_start_time_seconds", "store_up", "cache_hit_rate_percent"}
    for family in metrics.registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        names |= {family.name + ending for ending in endings}
    return names


@pytest.mark.parametrize("page", PAGES)
def test_the_shell_parses(page: str) -> None:
    for block in blocks(PAGES[page], "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False, timeout=10)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", PAGES[page]):
        path, _, anchor = target.partition("#")
        file = (RUNBOOKS / path).resolve() if path else RUNBOOKS / page
        assert file.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


def test_the_list_has_every_page() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.md\)", PAGES["README.md"], re.M)
    assert {f"{name}.md" for name in listed} | {"README.md"} == set(PAGES)


def test_promql_parses(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [{"record": f"x:{n}", "expr": one} for n, one in enumerate(expressions().values())]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promql_asks_for_metrics_that_exist() -> None:
    real = known()
    for where, expression in expressions().items():
        bare = re.sub(r'"[^"]*"|\b(?:by|on|group_left|without) *\([^)]*\)|\{[^}]*\}', "", expression)
        asked = set(re.findall(r"(?<![:\w])[a-z]\w*_\w+(?![\w:(]| *\()", bare)) - {"group_left"}
        assert asked <= real, (where, asked - real)


def test_sql_may_be_asked_by_the_services_role(store: Store) -> None:
    questions = {one for text in PAGES.values() for one in re.findall(r'\bsql "([^"]+)"', text)}
    assert len(questions) >= 5
    with psycopg.connect(store.url, autocommit=True) as service:
        for question in questions:
            service.execute(question.encode())
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        for text in PAGES.values():
            for question in re.findall(r'\$ADMIN_URL" -c "([^"]+)"', text):
                owner.execute(question.encode())
