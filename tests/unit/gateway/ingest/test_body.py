"""Bodies: what is decoded, and how what is wrong is named."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.errors import Invalid
from convex_gateway.ingest import body, observations, triggers
from convex_gateway.problems import Malformed

RULE = "0197a000-0000-7000-8000-000000000001"
GOOD = {"alert_rule_id": RULE, "current_value": 1}
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def trigger(**changed: Any) -> dict[str, Any]:
    return {key: value for key, value in (GOOD | changed).items() if value is not ...}


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        pytest.param({"current_value": ...}, "current_value", "is missing", id="missing"),
        pytest.param({"extra": 1}, "extra", "is unknown here", id="unknown"),
        pytest.param({"current_value": "1"}, "current_value", "expected `float`, got `str`", id="number as text"),
        pytest.param({"current_value": True}, "current_value", "expected `float`, got `bool`", id="switch as number"),
        pytest.param({"current_value": None}, "current_value", "expected `float`, got `null`", id="null"),
        pytest.param({"alert_rule_id": "nope"}, "alert_rule_id", "invalid UUID", id="no id"),
        pytest.param({"severity": "awful"}, "severity", "invalid enum value 'awful'", id="severity"),
        pytest.param({"alert_type": "mood"}, "alert_type", "invalid enum value 'mood'", id="type"),
        pytest.param({"status": "ok"}, "status", "invalid enum value 'ok'", id="status"),
        pytest.param({"labels": {"a": 1}}, "labels", "expected `str`, got `int`", id="label no text"),
        pytest.param(
            {"labels": {"a" * 257: ""}}, "labels", "expected `str` of length <= 256", id="label name too long"
        ),
        pytest.param({"labels": {"": "x"}}, "labels", "expected `str` of length >= 1", id="label name empty"),
        pytest.param({"labels": {"a": "b" * 1025}}, "labels", "expected `str` of length <= 1024", id="label too long"),
        pytest.param({"labels": {str(i): "" for i in range(65)}}, "labels", "of length <= 64", id="too many labels"),
        pytest.param({"labels": {"a": "x\0"}}, "labels", "has a NUL character", id="NUL in a label"),
        pytest.param({"context": {"a": [{"b\0": 1}]}}, "context", "has a NUL character", id="NUL deep in the context"),
        pytest.param({"occurred_at": "2026-11-23T12:00:00"}, "occurred_at", "timezone", id="no zone"),
        pytest.param({"occurred_at": "yesterday"}, "occurred_at", "RFC3339", id="no time"),
        pytest.param({"occurred_at": 1_700_000_000}, "occurred_at", "got `int`", id="seconds"),
        pytest.param(
            {" - at `$.labels`": 1}, " - at `$.labels`", "is unknown here", id="a name that looks like a path"
        ),
    ],
)
def test_the_wrong_field_is_named_alone_and_in_a_list(changed: dict[str, Any], field: str, message: str) -> None:
    wrong = trigger(**changed)
    with pytest.raises(Invalid) as alone:
        triggers.DECODER.decode(encoded(wrong))
    assert message in str(alone.value)
    with pytest.raises(Invalid) as listed:
        triggers.DECODER.decode(encoded([GOOD, GOOD, GOOD, wrong]))
    assert message in str(listed.value)
    assert (alone.value.field, listed.value.field) == (field, f"[3].{field}")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"   ", id="blank"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b'[{"alert_rule_id":', id="cut off in a list"),
        pytest.param(b"[]x", id="more behind"),
        pytest.param(b'{"current_value":NaN', id="NaN and cut off"),
        pytest.param(b'{"context":{"a":NaN,"b":' + b"[" * 100_000, id="NaN and nested without end"),
        pytest.param(b'{"labels":{"NaN":"Infinity"},}', id="NaN in texts alone"),
        pytest.param(b'{"labels":{"a":"\xff\xfe"}}', id="no UTF-8"),
        pytest.param(b'{"labels":{"a":"\\ud800"}}', id="half a surrogate pair"),
        pytest.param(b'{"context":{"a":' + b"[" * 100_000, id="nested without end"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
    ],
)
def test_what_is_no_json_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        triggers.DECODER.decode(text)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_finite_number_is_named(number: bytes) -> None:
    one = b'{"alert_rule_id":"%s","current_value":%s}' % (RULE.encode(), number)
    deep = b'{"alert_rule_id":"%s","current_value":1,"context":{"a":[0,{"b":%s}]}}' % (RULE.encode(), number)
    for text, field in ((one, "current_value"), (b"[%s,%s]" % (deep, one), "[0].context.a[1].b")):
        with pytest.raises(Invalid, match="must be a finite number") as refused:
            triggers.DECODER.decode(text)
        assert refused.value.field == field


def test_a_number_beyond_a_float_is_invalid() -> None:
    with pytest.raises(Invalid, match="current_value: number out of range"):
        triggers.DECODER.decode(b'{"alert_rule_id":"%s","current_value":1e999}' % RULE.encode())


def test_one_item_too_many_is_refused() -> None:
    assert len(triggers.DECODER.decode(encoded([GOOD] * 1000)).items) == 1000
    with pytest.raises(Invalid, match="length <= 1000"):
        triggers.DECODER.decode(encoded([GOOD] * 1001))


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert triggers.DECODER.decode(encoded(trigger(labels={"a": "\\u0000"}))).items[0].labels == {"a": "\\u0000"}


@pytest.mark.parametrize(
    ("offset", "refused"),
    [
        pytest.param(dt.timedelta(minutes=5), False, id="just within"),
        pytest.param(dt.timedelta(minutes=5, seconds=1), True, id="too far ahead"),
        pytest.param(dt.timedelta(days=-365), False, id="long ago"),
        pytest.param(dt.timedelta(days=-365 * 60), True, id="before 1970"),
    ],
)
def test_times_are_bounded(offset: dt.timedelta, refused: bool) -> None:
    if not refused:
        body.check_time(NOW + offset, NOW, "at")
        return
    with pytest.raises(Invalid, match=r"^at: "):
        body.check_time(NOW + offset, NOW, "at")


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    for decoder in (triggers.DECODER, observations.DECODER):
        with contextlib.suppress(Malformed, Invalid):
            decoder.decode(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({"alert_rule_id": JSON | st.just(RULE), "current_value": JSON}, optional={
    "labels": JSON, "context": JSON, "status": JSON, "severity": JSON, "occurred_at": JSON | st.datetimes().map(str),
}))  # fmt: skip
def test_any_json_is_decoded_or_refused(value: dict[str, Any]) -> None:
    for sent in (value, [value]):
        refused: list[str] = []
        try:
            triggers.DECODER.decode(encoded(sent))
        except Invalid as error:
            refused.append(error.field)
        assert all(field.startswith("[0]") == isinstance(sent, list) for field in refused)
