"""What a workspace's marks say about one question: which answers are still good. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convex_common.redis.cache.classes import CacheClass
from convex_common.redis.cache.marks import FLOOR, THROUGH
from convex_common.redis.resp import Reply


class Malformed(ValueError):  # noqa: N818 - named like the tree of errors in common
    """What lies where the marks should be are none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An answer is good if its stamp reached `required` and no sweep came after it, provided the marks are `complete`.

    `through` is the offset up to which the marks are; a good answer is the same as one computed there. `opened` is
    whether there are marks at all.
    """

    opened: bool
    through: int
    required: int
    sweep: int

    def complete(self, offset: int) -> bool:
        """Whether nothing up to a committed offset is missing from the marks."""
        return self.through >= offset


NOTHING = Standing(opened=False, through=-1, required=0, sweep=0)


def fields(kind: CacheClass, facets: Sequence[str]) -> tuple[str, ...]:
    """The marks that a question depends on."""
    own = (f"s:{kind.name}", THROUGH)
    return (*own, FLOOR, *facets) if kind.by_facet else (*own, f"v:{kind.name}")


def standing(kind: CacheClass, versions: Mapping[str, int], marks: Reply) -> Standing:
    """What the fields' values say, with what PostgreSQL said about versions. Malformed if they are no numbers."""
    if not isinstance(marks, list):
        raise Malformed("no list of marks")
    sweep, through, least, *facets = (_number(mark) for mark in marks)
    opened = least is not None and (through is not None or not kind.by_facet)
    required = max((mark for mark in (least, *facets) if mark is not None), default=0)
    if not kind.by_facet:
        required = max(required, versions[kind.name])
    return Standing(opened, -1 if through is None else through, required, sweep or 0)


def _number(mark: Reply) -> int | None:
    if mark is None:
        return None
    if not isinstance(mark, bytes) or not mark.isdigit():
        raise Malformed(f"{mark!r} is no mark")
    return int(mark)
