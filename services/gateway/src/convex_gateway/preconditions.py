"""Changes of what the caller saw: the version in an If-Match header, and in the ETag of an answer."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Header

from convex_common.errors import Invalid

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The version that the caller saw: 412 if it moved on since")
]

_VERSION: Final = re.compile(r'\s*(?:W/)?"?(\d{1,18})"?\s*')


def version_in(if_match: str | None, thing: str) -> int | None:
    """The version of `thing` (such as "an alert") in the header; None for `*`: what is missing is a 404 anyway."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _VERSION.fullmatch(if_match)
    if match is None:
        raise Invalid("If-Match", f"is no version of {thing}", cure='give its `version`, as in If-Match: "3"')
    return int(match.group(1))


def etag(version: int) -> str:
    """The version as a header has it."""
    return f'"{version}"'
