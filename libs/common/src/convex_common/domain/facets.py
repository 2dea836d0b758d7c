"""Which lists of alerts a change can be seen in: facets of a framework, a severity and a status. Pure.

An alert is in one facet of its framework and in the same one of all frameworks together. A list depends on the facets
that its filter lets through, whatever else it asks for; a change touches the facet that the alert is in and the one
that it was in. So what touches none of a list's facets cannot have changed it. What only counts alerts depends on the
facets' members, which do not change when an alert stays where it is, as most triggers leave it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from itertools import product
from typing import Final

from convex_common.domain.alert import Event, Status
from convex_common.domain.change import Entry
from convex_common.domain.severity import Severity

EVERY_FRAMEWORK: Final = "*"
MEMBERS: Final = "/members"
_EVERYWHERE: Final = frozenset(product(Severity, Status))


def touched(entry: Entry) -> tuple[str, ...]:
    """The facets in which a change can be seen; all of the framework's where it does not say what was before."""
    alert, before = entry.alert, entry.before
    if before is not None:
        places = frozenset({(before.severity, before.status), (alert.severity, alert.status)})
    else:
        places = frozenset({(alert.severity, alert.status)}) if entry.event is Event.CREATED else _EVERYWHERE
    found = [_facet(scope, *place) for scope in (alert.framework_id.hex, EVERY_FRAMEWORK) for place in sorted(places)]
    stayed = before is not None and len(places) == 1
    return tuple(found if stayed else [*found, *(facet + MEMBERS for facet in found)])


def needed(framework_id: uuid.UUID | None, severities: Iterable[str], statuses: Iterable[str]) -> tuple[str, ...]:
    """The facets that a list depends on; no severities or no statuses are all of them."""
    scope = EVERY_FRAMEWORK if framework_id is None else framework_id.hex
    places = product(sorted(set(severities)) or Severity, sorted(set(statuses)) or Status)
    return tuple(_facet(scope, *place) for place in places)


def counted(framework_id: uuid.UUID | None, statuses: Iterable[str]) -> tuple[str, ...]:
    """The facets that a number of alerts depends on."""
    return tuple(facet + MEMBERS for facet in needed(framework_id, (), statuses))


def _facet(scope: str, severity: str, status: str) -> str:
    return f"{scope}/{severity}/{status}"
