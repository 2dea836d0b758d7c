"""Alertmanager's `filter` parameter: one matcher each, read as Alertmanager reads it."""

from __future__ import annotations

import re
from typing import Final

import re2

from convex_common.domain.channel import Matcher, Operator
from convex_common.errors import Invalid

_MATCHER: Final = re.compile(
    r'\s*(?:(?P<name>[^\s"\'`{},=!~\\]+)|"(?P<quoted>(?:[^"\\]|\\.)+)")\s*(?P<op>=~|=|!=|!~)\s*(?P<value>.*?)\s*',
    re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}


def parse(text: str) -> Matcher:
    """`name="value"`, `name=~value`; names may be quoted, values are unescaped. Invalid naming `filter`."""
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise Invalid("filter", f"bad matcher format: {text}")
    name = match["name"] or _unescaped(match["quoted"], text)
    value = match["value"]
    if value.startswith('"'):
        closed = len(value) > 1 and value.endswith('"') and not _ends_escaped(value[1:-1])
        if not closed:
            raise Invalid("filter", f"the matcher's value has no closing quote: {text}")
        value = value[1:-1]
    op = Operator(match["op"])
    matcher = Matcher(name, op, _unescaped(value, text))
    if op in (Operator.MATCHES, Operator.NOT_MATCHES):
        check_expression("filter", matcher.value)
    return matcher


def check_expression(field: str, expression: str) -> None:
    """Invalid, naming the field, for what is no regular expression of RE2's syntax."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(expression, options=options)
    except re2.error as error:
        raise Invalid(field, f"bad regular expression: {_told(error)}") from None


def _unescaped(raw: str, text: str) -> str:
    """A backslash keeps its meaning before n, a quote and itself; before anything else it is a backslash."""
    parts: list[str] = []
    at = 0
    while at < len(raw):
        character = raw[at]
        if character == '"':
            raise Invalid("filter", f"the matcher's value has a quote that is not escaped: {text}")
        if character == "\\" and at + 1 < len(raw):
            at += 1
            parts.append(_ESCAPES.get(raw[at], "\\" + raw[at]))
        else:
            parts.append(character)
        at += 1
    return "".join(parts)


def _ends_escaped(inside: str) -> bool:
    """Whether what follows is escaped: an odd number of backslashes at the end."""
    return (len(inside) - len(inside.rstrip("\\"))) % 2 == 1


def _told(error: Exception) -> str:
    told = error.args[0] if error.args else error
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
