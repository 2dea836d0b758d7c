"""Matchers, as Alertmanager's own tests have them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.channel import Matcher, Operator
from convex_common.errors import Invalid
from convex_gateway.ingest.alertmanager_reads import wanted_by
from convex_gateway.ingest.matchers import parse


@pytest.mark.parametrize(
    ("text", "name", "op", "value"),
    [
        pytest.param("foo=bar", "foo", "=", "bar", id="bare"),
        pytest.param('foo="bar"', "foo", "=", "bar", id="quoted"),
        pytest.param(' foo != "bar baz" ', "foo", "!=", "bar baz", id="spaces around"),
        pytest.param('foo=~"bar|baz"', "foo", "=~", "bar|baz", id="regular expression"),
        pytest.param("foo!~.*", "foo", "!~", ".*", id="negated"),
        pytest.param('foo=""', "foo", "=", "", id="empty, quoted"),
        pytest.param("foo=", "foo", "=", "", id="empty"),
        pytest.param(r'foo="bar\"baz"', "foo", "=", 'bar"baz', id="escaped quote"),
        pytest.param(r'foo="a\nb"', "foo", "=", "a\nb", id="line feed"),
        pytest.param(r'foo="a\\b"', "foo", "=", "a\\b", id="escaped backslash"),
        pytest.param(r'foo=~"\d+"', "foo", "=~", r"\d+", id="spurious escape stays"),
        pytest.param(r'foo="bar\\"', "foo", "=", "bar\\", id="escaped backslash at the end"),
        pytest.param("foo=bar\\", "foo", "=", "bar\\", id="backslash at the end"),
        pytest.param("foo=a=b", "foo", "=", "a=b", id="operator in the value"),
        pytest.param("größe=1", "größe", "=", "1", id="UTF-8 name"),
        pytest.param('"a b"="c"', "a b", "=", "c", id="quoted name"),
    ],
)
def test_parse(text: str, name: str, op: str, value: str) -> None:
    assert parse(text) == Matcher(name, Operator(op), value)


@pytest.mark.parametrize(
    "text",
    [
        "", "foo", "=bar", "foo bar=baz", 'foo="bar', 'foo=bar"', 'foo="bar"baz"', 'foo="', r'foo="bar\"',
        'foo=~"("', "foo=~*", "{foo=bar}",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(text)
    assert refusal.value.field == "filter"


@given(st.text(min_size=1), st.sampled_from(["=", "!="]))
def test_what_amtool_quotes_is_read_back(value: str, op: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert parse(f'name{op}"{quoted}"') == Matcher("name", Operator(op), value)


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert parse(text).name


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ([], {"active", "suppressed"})),
        ("active=true&silenced=false&inhibited=false&unprocessed=false", ([], {"active"})),
        ("active=false", ([], {"suppressed"})),
        ("active=false&silenced=false", None),
        (
            "filter=a%3Db&filter=c%3D~%22d.%2A%22",
            ([Matcher("a", Operator.EQUAL, "b"), Matcher("c", Operator.MATCHES, "d.*")], {"active", "suppressed"}),
        ),
        ("receiver=convex-.%2A", ([], {"active", "suppressed"})),
        ("receiver=team", None),
    ],
)
def test_a_query_asks_for(query: str, expected: tuple[list[Matcher], set[str]] | None) -> None:
    found = wanted_by(query)
    assert (None if found is None else (found.matchers, set(found.states))) == expected


@pytest.mark.parametrize(
    ("query", "field"), [("active=perhaps", "active"), ("receiver=(", "receiver"), ("filter=x", "filter")]
)
def test_a_bad_query_names_its_parameter(query: str, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        wanted_by(query)
    assert refusal.value.field == field
