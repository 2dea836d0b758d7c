"""`convex` as a person and as a script use it, against a real installation."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from convex_alerts.cli.main import build
from convex_dev.services import program
from tests.support.eventually import eventually
from tests.support.installation import Workspace
from tests.support.receiver import Receiver

ROOT = Path(__file__).resolve().parent.parent.parent
CHANGES = 24
UNSET: dict[str, str | None] = {name: None for name in os.environ if name.startswith("CONVEX_")}


@dataclass
class Convex:
    """Runs the command for a workspace."""

    environment: dict[str, str]

    def __call__(
        self, *words: str, code: int = 0, stdin: str | None = None, changed: Mapping[str, str] | None = None
    ) -> str:
        """What it prints on stdout, or on stderr where it is to fail; in this process, since many are run."""
        done = CliRunner().invoke(
            build(), list(words), input=stdin, env={**UNSET, **self.environment, **(changed or {})}
        )
        assert done.exit_code == code, f"{words}: {done.exit_code} {done.stdout} {done.stderr} {done.exception!r}"
        return done.stderr if code else done.stdout

    def program(self, *words: str, changed: Mapping[str, str] | None = None) -> str:
        """The same in a process of its own."""
        return subprocess.run(
            [program("convex"), *words],
            env={**self.environment, **(changed or {})},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout

    def json(self, *words: str, stdin: str | None = None) -> Any:
        return json.loads(self(*words, "--json", stdin=stdin))


@pytest.fixture
def convex(workspace: Workspace, tmp_path: Path) -> Convex:
    return Convex(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CONVEX_URL": workspace.stack.url,
            "CONVEX_TOKEN": workspace.token,
            "COLUMNS": "200",
        }
    )


def test_a_workspace_is_set_up_and_worked_with(convex: Convex, receiver: Receiver, tmp_path: Path) -> None:
    framework = convex.json("frameworks", "create", "shop", "--label", "team=web")
    assert convex.json("frameworks", "edit", "shop", "--description", "the shop")["description"] == "the shop"
    hook = convex.json("channels", "create", "hook", "--kind", "webhook", "--config", f"url={receiver.url()}")
    assert hook["generated_secret"].startswith("whsec_")
    assert convex.json("channels", "test", "hook")["status"] == "delivered"
    assert convex.json("deliveries", "list", "--channel", "hook")[0]["cause"] == "test"

    file = tmp_path / "rule.yaml"
    file.write_text(
        "name: slow\nframework: shop\nmetric: latency\ncondition: above\nthreshold_value: 100\nchannels: [hook]\n"
    )
    rule = convex.json("rules", "create", "--file", str(file), "--severity", "critical")
    assert (rule["framework_id"], rule["channel_ids"], rule["severity"]) == (framework["id"], [hook["id"]], "critical")
    errors = ["rules", "create", "errors", "--framework", "shop", "--metric", "errors", "--changes-by", "50"]
    by_options = convex.json(*errors, "--window", "5m", "--for", "1m")
    assert (by_options["change_percentage"], by_options["window_seconds"], by_options["for_seconds"]) == (50, 300, 60)
    assert convex.json("rules", "edit", "slow", "--above", "150", "--file", "-", stdin="severity: warning")
    shown = convex.json("rules", "show", "slow")
    assert (shown["threshold_value"], shown["severity"]) == (150, "warning")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^threshold_value: .*/threshold_value: 175/' \"$1\"\n")
    editor.chmod(0o755)
    convex("rules", "edit", "slow", changed={"EDITOR": str(editor)})
    assert convex.json("rules", "show", "slow")["threshold_value"] == 175
    assert convex.json("rules", "disable", "errors")["enabled"] is False
    assert [one["name"] for one in convex.json("rules", "list", "--enabled")] == ["slow"]
    assert "avg of errors over 300 s changes by 50 % for 60 s" in convex("rules", "list")

    assert convex.json("triggers", "send", "slow", "500", "--label", "n=1", "--label", "esc=\x1b[31m")["accepted"] == 1
    convex("observe", "-3", "--framework", "shop", "--metric", "latency")
    [alert] = eventually(lambda: convex.json("alerts", "list"), within=30, what="the alert")
    assert "\x1b" not in convex("alerts", "list", "--status", "firing"), "nobody steers the terminal from outside"
    [outcome] = convex.json("alerts", "ack", alert["id"])
    assert (outcome["ok"], outcome["alert"]["status"]) == (True, "acknowledged")
    [outcome] = convex.json("alerts", "resolve", alert["id"], "--notes", "restarted")
    assert outcome["alert"]["resolution_notes"] == "restarted"
    assert convex.json("alerts", "list") == []
    assert convex.json("alerts", "list", "--all", "-q", "slow")[0]["id"] == alert["id"]
    timeline = convex.json("alerts", "show", alert["id"])["timeline"]
    assert {"created", "acknowledged", "resolved"} <= {entry.get("event") for entry in timeline}
    assert "created" in convex("alerts", "show", alert["id"])
    assert "(409)" in convex("alerts", "ack", alert["id"], code=1)

    assert {queue["name"] for queue in convex.json("queues", "list")} >= {"alert", "notification"}
    assert convex.json("queues", "quarantine", "alert") == []
    assert "is no id" in convex("queues", "drop", "alert", "this", code=2)
    [job, *_] = convex.json("jobs", "list")
    assert convex.json("jobs", "show", job["name"])["schedule"] == job["schedule"]
    assert convex.json("rules", "delete", "errors") == {"deleted": by_options["id"]}


def test_what_is_silenced_is_listed_previewed_and_expired(convex: Convex, workspace: Workspace) -> None:
    rule_id = workspace.rule(workspace.framework())
    convex_send(workspace, rule_id, 1)
    eventually(lambda: workspace.get("/api/v1/alerts")["items"], within=30, what="an alert")
    previewed = convex.json("silences", "preview", "n=1")
    assert (previewed["open"], len(previewed["alerts"])) == (1, 1)
    assert "1 open now" in convex("silences", "preview", 'n="1"')
    made = convex.json("silences", "create", "n=~1|2", "severity!=critical", "--for", "2h", "--comment", "upgrade")
    assert (made["state"], [one["op"] for one in made["matchers"]]) == ("active", ["=~", "!="])
    assert "n=~1|2 severity!=critical  upgrade" in convex("silences", "list", "--state", "active")
    again = ["--from", "2030-01-05T22:00+00:00", "--for", "4h", "--rrule", "FREQ=WEEKLY;BYDAY=SA"]
    later = convex.json("silences", "create", "n=3", *again, "--timezone", "Europe/Berlin")
    assert (later["state"], later["ends_at"][:16]) == ("pending", "2030-01-06T02:00")
    assert convex.json("silences", "expire", made["id"]) == {"expired": made["id"]}
    assert convex.json("silences", "show", made["id"])["state"] == "expired"
    assert "(409)" in convex("silences", "expire", made["id"], code=1)
    assert "is no matcher" in convex("silences", "create", "team", "--for", "1h", code=2)
    assert "say how long" in convex("silences", "create", "n=1", code=2)


def test_alerts_are_snoozed_and_assigned(convex: Convex, workspace: Workspace) -> None:
    rule_id = workspace.rule(workspace.framework())
    convex_send(workspace, rule_id, 1)
    convex_send(workspace, rule_id, 2)
    found = eventually(lambda: (rows := convex.json("alerts", "list")) and rows[1:] and rows, within=30, what="both")
    ids = [row["id"] for row in found]
    me = workspace.get("/api/v1/me")["user_id"]
    workspace.post("/api/v1/members", {"user_id": "ada", "role": "responder", "name": "Ada L."}, 201)

    before = datetime.now(UTC)
    until = [one["alert"]["snoozed_until"] for one in convex.json("alerts", "snooze", *ids, "--for", "4h")]
    assert len({*until}) == 1, "one end for all"
    assert before + timedelta(hours=4) <= datetime.fromisoformat(until[0]) <= datetime.now(UTC) + timedelta(hours=4)
    assert convex("alerts", "list").count("snoozed") == 2
    tomorrow = (before + timedelta(days=1)).isoformat(timespec="seconds")
    [moved] = convex.json("alerts", "snooze", ids[0], "--until", tomorrow)
    assert datetime.fromisoformat(moved["alert"]["snoozed_until"]) == datetime.fromisoformat(tomorrow)
    assert moved["alert"]["snoozed_by"] == me
    [ended] = convex.json("alerts", "snooze", ids[0], "--end")
    assert ended["alert"]["snoozed_until"] is None
    told = convex("alerts", "snooze", *ids, "--end", code=1)
    assert f"{ids[0]}: The alert is not snoozed. (409)" in told
    assert ids[1] not in told, "the other one is done all the same"
    assert all(row["snoozed_until"] is None for row in convex.json("alerts", "list"))
    for wrong in ([], ["--for", "1h", "--end"], ["--for", "1h", "--until", tomorrow]):
        assert "give one of --for, --until and --end" in convex("alerts", "snooze", ids[0], *wrong, code=2)
    assert "until" in convex("alerts", "snooze", ids[0], "--for", "31d", code=1)
    assert "is no length of time" in convex("alerts", "snooze", ids[0], "--for", "soon", code=2)

    assert {one["alert"]["assigned_to"] for one in convex.json("alerts", "assign", *ids)} == {me}, "to oneself"
    assert {one["alert"]["assigned_to"] for one in convex.json("alerts", "assign", *ids, "--to", "ada")} == {"ada"}
    assert ids[0] in convex("alerts", "assign", ids[0], "--nobody")
    assert {row["id"]: row["assigned_to"] for row in convex.json("alerts", "list")} == {ids[0]: None, ids[1]: "ada"}
    refused = convex("alerts", "assign", *ids, "--to", "bob", code=1)
    assert refused.count("is no member of this workspace") == 2
    assert "--to and --nobody exclude one another" in convex(
        "alerts", "assign", ids[0], "--to", "ada", "--nobody", code=2
    )
    assert "is no id" in convex("alerts", "assign", "slow", code=2)
    asked = {
        "_CONVEX_COMPLETE": "complete_bash",
        "COMP_WORDS": f"convex alerts assign {ids[0]} --to a",
        "COMP_CWORD": "5",
    }
    assert convex.program(changed=asked).split("\n")[0] == "ada"


def test_exit_codes_say_what_to_do(convex: Convex, tmp_path: Path) -> None:
    assert "there is no rule 'none'" in convex("rules", "show", "none", code=2)
    assert "rule" in convex("rules", "show", "01920000-0000-7000-8000-000000000000", code=1)
    assert "should be one object" in convex("rules", "create", "--file", "-", code=2, stdin="[1]")
    assert "No such command 'alert'. Did you mean 'alerts'?" in convex("alert", code=2)
    assert "use a fresh token" in convex("alerts", "list", "--token", "wrong", code=1)
    gone = ("alerts", "list", "--url", "http://127.0.0.1:1")
    assert "is it running there?" in convex(*gone, code=75)
    profiles = tmp_path / "profiles.toml"
    convex.environment["CONVEX_PROFILES"] = str(profiles)
    url, token = convex.environment.pop("CONVEX_URL"), convex.environment.pop("CONVEX_TOKEN")
    assert "convex profiles save default" in convex("alerts", "list", code=2)
    convex("profiles", "save", "prod", "--url", url, stdin=token)
    assert profiles.stat().st_mode & 0o777 == 0o600
    assert convex("profiles", "list", "--json").count(token) == 0
    assert convex.json("alerts", "list", "--profile", "prod") == []
    assert "no profile 'other'" in convex("alerts", "list", "--profile", "other", code=2)
    profiles.chmod(0o644)
    assert f"chmod 600 {profiles}" in convex("alerts", "list", code=2, changed={"CONVEX_PROFILE": "prod"})


def test_names_are_completed(convex: Convex, workspace: Workspace) -> None:
    workspace.rule(workspace.framework(), name="slow checkout")
    asked = {"_CONVEX_COMPLETE": "complete_bash", "COMP_WORDS": "convex rules show sl", "COMP_CWORD": "3"}
    assert convex.program(changed=asked).split("\n")[0] == "slow checkout"
    commands = {"_CONVEX_COMPLETE": "complete_bash", "COMP_WORDS": "convex ru", "COMP_CWORD": "1"}
    assert convex.program(changed=commands).strip() == "rules"


HEEDING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""Runs a program that heeds SIGINT: a shell that starts tests in the background has them, and theirs, ignore it."""


def test_watch_gives_each_change_once_as_lines_while_the_gateway_is_killed(
    convex: Convex, workspace: Workspace
) -> None:
    rule_id = workspace.rule(workspace.framework())
    watching = subprocess.Popen(
        [sys.executable, "-c", HEEDING, program("convex"), "alerts", "watch", "--json"],
        env=convex.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert watching.stderr is not None
    lines: list[dict[str, Any]] = []
    out = watching.stdout
    reading = threading.Thread(target=lambda: lines.extend(map(json.loads, out)), daemon=True)
    reading.start()

    def changes() -> list[dict[str, Any]]:
        """Without the snapshot that a gateway which takes long to come back is bridged by."""
        return [line for line in list(lines) if line["type"] == "change"]

    try:
        figures = "/api/metrics/websocket"
        eventually(lambda: workspace.get(figures)["active_subscriptions"] == 1, within=30, what="a subscription")
        for number in range(CHANGES):
            convex_send(workspace, rule_id, number)
            if number == CHANGES // 2:
                workspace.stack.kill("gateway")
        eventually(lambda: len(changes()) >= CHANGES, within=120, what=f"{CHANGES} changes")
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
        reading.join(10)
    offsets = [line["offset"] for line in changes()]
    assert offsets == list(range(offsets[0], offsets[0] + CHANGES))
    assert sorted(int(line["data"]["labels"]["n"]) for line in changes()) == list(range(CHANGES))
    assert "reconnecting" in watching.stderr.read()
    workspace.stack.wait_healthy("gateway")


def convex_send(workspace: Workspace, rule_id: str, number: int) -> None:
    """A trigger, sent until it is accepted."""
    from convex_alerts import Client, Trigger

    with Client(workspace.stack.url, workspace.token, tries=480, sleep=lambda _: time.sleep(0.25)) as client:
        client.triggers.send(Trigger(rule_id, 200, labels={"n": str(number)}))


@dataclass
class Terminal:
    """What a terminal would show, as far as texts go."""

    descriptor: int
    seen: str = ""
    plain: re.Pattern[str] = field(default=re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]"))

    def shows(self, text: str) -> bool:
        while select.select([self.descriptor], [], [], 0)[0]:
            try:
                self.seen += os.read(self.descriptor, 65536).decode(errors="replace")
            except OSError:
                break
        return text in self.plain.sub("", self.seen)

    def press(self, key: str) -> None:
        os.write(self.descriptor, key.encode())


@contextlib.contextmanager
def on_a_terminal(words: list[str], environment: dict[str, str]) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)
    os.close(theirs)
    try:
        yield Terminal(ours), process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_watch_is_a_live_table_on_a_terminal_until_q(convex: Convex, workspace: Workspace) -> None:
    rule_id = workspace.rule(workspace.framework(), name="slow checkout", severity="critical")
    convex_send(workspace, rule_id, 1)
    eventually(lambda: workspace.get("/api/v1/alerts")["items"], within=30, what="an alert")
    environment = {**convex.environment, "TERM": "xterm-256color"}
    environment.pop("COLUMNS")
    with on_a_terminal([program("convex"), "alerts", "watch"], environment) as (terminal, process):
        eventually(lambda: terminal.shows("● connected"), within=30, what="the connection's state")
        eventually(lambda: terminal.shows("1 critical"), what="the count")
        eventually(lambda: terminal.shows("slow checkout"), what="the alert")
        terminal.seen = ""
        convex_send(workspace, rule_id, 2)
        eventually(lambda: terminal.shows("2 critical"), within=20, what="the second alert")
        [first, *_] = workspace.get("/api/v1/alerts")["items"]
        terminal.seen = ""
        workspace.post(f"/api/v1/alerts/{first['id']}/acknowledge", {}, 200)
        eventually(lambda: terminal.shows("acknowledged"), within=20, what="the acknowledgement")
        terminal.seen = ""
        workspace.stack.kill("gateway")
        eventually(lambda: terminal.shows("reconnecting"), within=20, what="that it was lost")
        terminal.seen = ""
        eventually(lambda: terminal.shows("● connected"), within=120, what="that it is back")
        terminal.press("x")
        terminal.press("q")
        assert process.wait(20) == 0
    workspace.stack.wait_healthy("gateway")


BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "command-line.md").read_text(), re.MULTILINE | re.DOTALL)


def test_what_the_document_shows_works(convex: Convex) -> None:
    """Every command of docs/command-line.md, in its order."""
    assert len(BLOCKS) >= 4
    path = f"{Path(program('convex')).parent}:{convex.environment['PATH']}"
    script = "set -euo pipefail\n" + "\n".join(BLOCKS)
    done = subprocess.run(
        ["bash", "-c", script], env={**convex.environment, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [rule] = [one for one in convex.json("rules", "list") if one["name"] == "Checkout is slow"]
    assert (rule["threshold_value"], rule["severity"]) == (600, "critical")
