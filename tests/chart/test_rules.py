"""Prometheus's own tool reads the rules, and fires each alert and keeps each quiet at its border."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.chart.rule_cases import CASES, Case
from tests.support.debian import program_or_skip
from tests.support.manifests import OPERATORS, render, values_files

ROOT: Final = Path(__file__).resolve().parent.parent.parent
RULES: Final = ROOT / "charts" / "convex-alerts" / "files" / "rules"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
DASHBOARDS: Final = ROOT / "charts" / "convex-alerts" / "files" / "dashboards"
PAGE: Final = ROOT / "docs" / "prometheus-rules.md"
HOME: Final = "https://github.com/convex-alerts/convex-alerts/blob/main/"
PREFIX: Final = "ConvexAlerts"
ALWAYS: Final = {"Watchdog"}
"""What cannot be quiet."""

COMPARISON: Final = re.compile(r"([<>]) ([0-9.]+)")


@dataclass(frozen=True)
class Alert:
    """An alerting rule and the file that it is in."""

    file: str
    rule: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.rule["alert"]).removeprefix(PREFIX)


def groups() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield path.name, group


def alerts() -> dict[str, Alert]:
    found = [Alert(file, rule) for file, group in groups() for rule in group["rules"] if "alert" in rule]
    return {alert.name: alert for alert in found}


ALERTS: Final = alerts()


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program_or_skip("promtool"), *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def of_case(case: Case) -> dict[str, Any]:
    """As promtool has it. What fires is asked for by PromQL: there annotations are not compared."""
    firing = f'ALERTS{{alertname="{PREFIX}{case.alert}", alertstate="firing"}}'
    labels = {"alertname": f"{PREFIX}{case.alert}", "alertstate": "firing", **ALERTS[case.alert].rule["labels"]}
    expected = [{"labels": _written({**labels, **fires}), "value": 1} for fires in case.fires]
    asked = [{"expr": firing, "eval_time": f"{case.minute}m", "exp_samples": expected}]
    if case.quiet_at is not None:
        asked.append({"expr": firing, "eval_time": f"{case.quiet_at}m", "exp_samples": []})
    return {
        "name": f"{case.alert}: {case.name}",
        "interval": f"{case.step}m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": asked,
    }


def tried(folder: Path, rules: Sequence[Path], tests: Sequence[Mapping[str, Any]], step: int) -> str:
    """What promtool says of these tests; empty where all hold."""
    folder.mkdir(exist_ok=True)
    file = folder / "tests.yaml"
    document = {"rule_files": [str(path) for path in rules], "evaluation_interval": f"{step}m", "tests": list(tests)}
    file.write_text(yaml.safe_dump(document))
    done = promtool("test", "rules", file)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def cases_of(file: str, step: int) -> list[Case]:
    return [case for case in CASES if ALERTS[case.alert].file == file and case.step == step]


def test_promtool_finds_nothing() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(RULES.glob("*.yaml")))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "step"), sorted({(ALERTS[case.alert].file, case.step) for case in CASES if case.alert in ALERTS})
)
def test_every_alert_fires_when_it_should_and_not_before(file: str, step: int, tmp_path: Path) -> None:
    assert not tried(tmp_path, [RULES / file], [of_case(case) for case in cases_of(file, step)], step)


def test_every_alert_is_tried_both_ways() -> None:
    fire = {case.alert for case in CASES if case.fires}
    quiet = {case.alert for case in CASES if not case.fires}
    assert fire == set(ALERTS)
    assert quiet == set(ALERTS) - ALWAYS


def test_every_hold_time_is_tried() -> None:
    """An alert with `for` is seen to be quiet while it is pending; those of burn rates by what is over again."""
    waiting = {case.alert for case in CASES if case.quiet_at is not None}
    held = {name for name, alert in ALERTS.items() if "for" in alert.rule and not name.startswith("DeliveryBurn")}
    assert held - waiting == {"BacklogGrows"}, "whose derivative takes as long by itself"


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_what_an_alert_says_of_itself(name: str) -> None:
    rule = ALERTS[name].rule
    assert rule["alert"].startswith(PREFIX)
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    annotations = rule["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url", "dashboard"}
    assert len(annotations["summary"]) < 260
    page = annotations["runbook_url"].removeprefix(HOME)
    assert page == f"docs/runbooks/{PREFIX}{name}.md"
    assert (ROOT / page).is_file()
    board = DASHBOARDS / f"{annotations['dashboard'].removeprefix('convex-alerts-')}.json"
    assert json.loads(board.read_text())["uid"] == annotations["dashboard"]


def rendered(**metrics: Any) -> list[Mapping[str, Any]]:
    """The groups of the chart's PrometheusRules."""
    values = {"metrics": {"prometheusRule": {"enabled": True, **metrics}}}
    manifests = render(values_files()[:1], values=values, api_versions=OPERATORS)
    documents = [one.body for one in manifests.all("PrometheusRule")]
    return [group for document in documents for group in document["spec"]["groups"]]


def test_the_chart_takes_them_as_they_are() -> None:
    assert {group["name"]: group for group in rendered()} == {group["name"]: group for _, group in groups()}


def test_the_chart_changes_what_it_is_told_to(tmp_path: Path) -> None:
    changed = {"expr": "max by (namespace) (system_health_score) < 60", "labels": {"severity": "info"}}
    found = rendered(
        disabled=[f"{PREFIX}Watchdog"],
        extraLabels={"team": "platform"},
        overrides={f"{PREFIX}HealthScoreLow": changed},
    )
    by_name = {rule["alert"]: rule for group in found for rule in group["rules"] if "alert" in rule}
    assert by_name.keys() == {f"{PREFIX}{name}" for name in ALERTS} - {f"{PREFIX}Watchdog"}
    score = by_name[f"{PREFIX}HealthScoreLow"]
    assert score["expr"] == changed["expr"]
    assert score["labels"] == {"severity": "info", "team": "platform"}
    assert score["annotations"] == ALERTS["HealthScoreLow"].rule["annotations"]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": found}))
    assert promtool("check", "rules", file).returncode == 0


def test_the_configuration_in_the_documentation_is_accepted(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    (tmp_path / "convex.token").write_text("token")
    (tmp_path / "convex-alerts.json").write_text('[{"targets": ["127.0.0.1:9090"]}]')
    blocks = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert [name for name, _ in blocks] == ["values.yaml", "prometheus.yml", "alertmanager.yml", "prometheus.yml"]
    for name, text in blocks[1:]:
        file = tmp_path / name
        file.write_text(text)
        if name == "prometheus.yml":
            done = promtool("check", "config", file)
        else:
            amtool = program_or_skip("amtool")
            done = subprocess.run(
                [amtool, "check-config", file], capture_output=True, text=True, timeout=60, check=False
            )
        assert done.returncode == 0, done.stdout + done.stderr
    metrics = yaml.safe_load(blocks[0][1])["metrics"]
    assert rendered(**metrics["prometheusRule"])
    told = re.search(r"(\d+) alerts for Prometheus", PAGE.read_text())
    assert told is not None
    assert int(told[1]) == len(ALERTS)


def test_every_runbook_has_its_alert() -> None:
    assert {path.stem.removeprefix(PREFIX) for path in RUNBOOKS.glob(f"{PREFIX}*.md")} == set(ALERTS)


def test_nothing_relies_on_the_name_of_a_job_or_an_address() -> None:
    for _, group in groups():
        for rule in group["rules"]:
            assert not re.search(r'\b(job|pod|instance|namespace|container)\s*(=|!=|=~|!~)\s*"', rule["expr"]), rule


def test_what_people_read_has_its_numbers_in_it(tmp_path: Path) -> None:
    """promtool tells what it got where it expected nothing: there the templates are filled in."""
    seen = set()
    for file in sorted({alert.file for alert in ALERTS.values()}):
        firing = list({case.alert: case for case in cases_of(file, 1) if case.fires}.values())
        tests = [{**of_case(case), "promql_expr_test": []} for case in firing]
        for test, case in zip(tests, firing, strict=True):
            name = f"{PREFIX}{case.alert}"
            test["alert_rule_test"] = [{"alertname": name, "eval_time": f"{case.minute}m", "exp_alerts": []}]
        told = tried(tmp_path, [RULES / file], tests, 1)
        for name, shown in re.findall(r'Labels:\{alertname="ConvexAlerts(\w+)".*?\n\s*Annotations:(\{.*?\})\n', told):
            seen.add(name)
            assert "error" not in shown.replace("are errors", "").replace("Errors come", ""), shown
            assert "{{" not in shown, shown
            assert "NaN" not in shown, shown
            assert "<no value>" not in shown, shown
    assert seen == {case.alert for case in CASES if case.fires and case.step == 1}


@dataclass(frozen=True)
class Mutant:
    """A rule file with one threshold changed."""

    alert: str
    change: str
    file: str
    text: str


def mutants() -> Iterator[Mutant]:
    """Each threshold of each alert, half as much again and two fifths less; 0 and 1 one more and one less."""
    for name, alert in ALERTS.items():
        expr = str(alert.rule["expr"])
        for found in COMPARISON.finditer(expr):
            threshold = float(found[2])
            others = [threshold + 1, threshold - 1] if threshold in (0, 1) else [1.5 * threshold, 0.6 * threshold]
            for other in others:
                changed = f"{expr[: found.start(2)]}{other:.6g}{expr[found.end(2) :]}"
                document = yaml.safe_load((RULES / alert.file).read_text())
                for group in document["groups"]:
                    for rule in group["rules"]:
                        if rule.get("alert") == f"{PREFIX}{name}":
                            rule["expr"] = changed
                yield Mutant(name, f"{found[0]} → {other:g}", alert.file, yaml.safe_dump(document))


@pytest.mark.long
def test_a_threshold_that_is_changed_is_found_out(tmp_path: Path) -> None:
    def survives(numbered: tuple[int, Mutant]) -> str | None:
        number, mutant = numbered
        rules = tmp_path / f"{number}.yaml"
        rules.write_text(mutant.text)
        mine = [case for case in CASES if case.alert == mutant.alert]
        (step,) = {case.step for case in mine}
        told = tried(tmp_path / str(number), [rules], [of_case(case) for case in mine], step)
        return None if told else f"{mutant.alert}: {mutant.change}"

    with ThreadPoolExecutor(2) as pool:
        survivors = [one for one in pool.map(survives, enumerate(mutants())) if one]
    assert not survivors


def _written(labels: Mapping[str, str]) -> str:
    return "ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
