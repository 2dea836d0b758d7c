"""Records are JSON with their context, and secrets do not get through."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from convex_common.logging import JsonFormatter, bound, configure, redacted
from convex_common.tracing import span_from

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def line(message: str = "hello", *arguments: object, **extra: object) -> dict[str, Any]:
    record = logging.getLogger("convex.test").makeRecord(
        "convex.test", logging.WARNING, "file.py", 1, message, arguments, None, extra=extra
    )
    decoded: dict[str, Any] = json.loads(JsonFormatter("gateway").format(record))
    return decoded


def test_a_record_is_one_line_with_its_fields() -> None:
    got = line("%d rows", 3, rows=3, ratio=0.5, names={"a"}, nested={"token": "t", 1: None})
    assert got.pop("ts").endswith("Z")
    assert got == {
        "level": "WARNING",
        "logger": "convex.test",
        "msg": "3 rows",
        "service": "gateway",
        "rows": 3,
        "ratio": 0.5,
        "names": ["a"],
        "nested": {"token": "***", "1": None},
    }


def test_bound_fields_nest_and_end() -> None:
    with bound(workspace_id="w", alert_id=None), bound(alert_id="a"):
        assert {"workspace_id": "w", "alert_id": "a"}.items() <= line().items()
    assert "workspace_id" not in line()


def test_the_trace_is_named() -> None:
    with span_from("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "work"):
        assert line()["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert "trace_id" not in line()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param(f"Authorization: Bearer {JWT}", JWT, id="header"),
        pytest.param("{'authorization': 'Basic dXNlcjpwdw=='}", "dXNlcjpwdw==", id="header in a dict"),
        pytest.param("Bearer abcdefgh12345", "abcdefgh12345", id="bearer"),
        pytest.param(f"convex.v1, bearer.{JWT}", JWT, id="subprotocol"),
        pytest.param(f"token was {JWT}", JWT, id="JWT"),
        pytest.param("key cvx_AbC-123_x refused", "AbC-123_x", id="API key"),
        pytest.param("redis://:hunter2@host:6379/0", "hunter2", id="Redis URL"),
        pytest.param("cannot reach postgresql://u:p:w/x@h/d", "p:w", id="database URL"),
        pytest.param("host=h password=hunter2 dbname=d", "hunter2", id="connection string"),
        pytest.param('{"password": "hunter2"}', "hunter2", id="JSON"),
    ],
)
def test_secrets_are_struck_out(text: str, secret: str) -> None:
    assert secret not in redacted(text)
    assert "***" in redacted(text)
    assert secret not in json.dumps(line(text, where=[text], password=secret))


@pytest.mark.parametrize(
    "text",
    [
        "rule fired 3 times",
        "http://host:8080/path?state=open",
        "a bearer of news",
        "alert@example.com",
        "the 'token' is missing",
        "['cookie', 'token']",
        "{'name': 'b', 'status': 'open'}",
    ],
)
def test_plain_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_an_exception_is_told_without_its_secrets() -> None:
    try:
        raise ValueError("redis://:hunter2@host")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    text = JsonFormatter("gateway").format(record)
    assert "ValueError" in text
    assert "hunter2" not in text
    assert "\n" not in text


def test_configure_writes_to_stderr_once(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure("gateway", "WARNING")
        configure("gateway", "WARNING")
        logging.getLogger("convex").info("too quiet")
        logging.getLogger("convex").warning("heard")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(capture=False)
    (written,) = capsys.readouterr().err.splitlines()
    assert json.loads(written)["msg"] == "heard"
