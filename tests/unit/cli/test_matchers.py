from __future__ import annotations

import pytest
import typer

from convex_alerts.cli.silences import matcher, spelled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("team=web", ("team", "=", "web")),
        ("team=", ("team", "=", "")),
        ('team="a b"', ("team", "=", "a b")),
        ("env!=prod", ("env", "!=", "prod")),
        ("host=~web-.*", ("host", "=~", "web-.*")),
        ("host!~a=b", ("host", "!~", "a=b")),
        ("q=a=b!=c", ("q", "=", "a=b!=c")),
        (' n="', ("n", "=", '"')),
    ],
)
def test_matchers(text: str, told: tuple[str, str, str]) -> None:
    found = matcher(text)
    assert (found["name"], found["op"], found["value"]) == told
    assert matcher(spelled([found])) == found


@pytest.mark.parametrize("text", ["", "team", "=web", "!web", "a b=c"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no matcher"):
        matcher(text)
