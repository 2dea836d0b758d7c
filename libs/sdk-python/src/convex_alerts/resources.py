"""Every resource's methods, written once. On a `Client` they answer, on an `AsyncClient` they are awaited."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from convex_alerts import calls, models
from convex_alerts.calls import Call, Listing
from convex_alerts.drafts import ChannelFields, FrameworkFields, RuleFields, Trigger

if TYPE_CHECKING:
    from convex_alerts.async_client import AsyncClient
    from convex_alerts.client import Client

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")


class Resource(Generic[C]):
    """A part of the API, seen through one client."""

    def __init__(self, client: C) -> None:
        self._client = client


class one(Generic[P, T]):  # noqa: N801 - reads as a decorator
    """Makes a method of a function that builds a `Call`."""

    def __init__(self, build: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self._build = build
        functools.update_wrapper(cast(Callable[..., Any], self), build)

    @overload
    def __get__(self, owner: Resource[Client], kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, owner: Resource[AsyncClient], kind: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, owner: Resource[Any], kind: type) -> Callable[P, T] | Callable[P, Awaitable[T]]:
        @functools.wraps(self._build)
        def send(*args: P.args, **kwargs: P.kwargs) -> Any:
            return owner._client.send(self._build(owner, *args, **kwargs))  # noqa: SLF001 - a resource's own

        return send


class many(Generic[P, T]):  # noqa: N801
    """Makes a method of a function that builds a `Listing`: an iterator over its items, page by page."""

    def __init__(self, build: Callable[Concatenate[Any, P], Listing[T]]) -> None:
        self._build = build
        functools.update_wrapper(cast(Callable[..., Any], self), build)

    @overload
    def __get__(self, owner: Resource[Client], kind: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, owner: Resource[AsyncClient], kind: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, owner: Resource[Any], kind: type) -> Callable[P, Iterator[T]] | Callable[P, AsyncIterator[T]]:
        @functools.wraps(self._build)
        def each(*args: P.args, **kwargs: P.kwargs) -> Any:
            return owner._client.each(self._build(owner, *args, **kwargs))  # noqa: SLF001

        return each


class Alerts(Resource[C]):
    """What is wrong, and what people do with it."""

    @many
    def list(
        self,
        *,
        framework_id: str | None = None,
        status: Sequence[str] = (),
        severity: Sequence[str] = (),
        alert_type: str | None = None,
        since: datetime | None = None,
        q: str | None = None,
    ) -> Listing[models.Alert]:
        """Alerts, the newest first. `q` is a part of a title, a rule's name or a label."""
        return _alerts(framework_id, status, severity, alert_type, since, q)

    @one
    def page(
        self,
        cursor: str | None = None,
        *,
        limit: int = calls.PAGE,
        framework_id: str | None = None,
        status: Sequence[str] = (),
        severity: Sequence[str] = (),
        alert_type: str | None = None,
        since: datetime | None = None,
        q: str | None = None,
    ) -> Call[models.Page[models.Alert]]:
        """One page, and where the live feed stood: `watch(since=Position(page.epoch, page.offset))` misses nothing."""
        return _alerts(framework_id, status, severity, alert_type, since, q).page(cursor, limit)

    @one
    def get(self, alert_id: str) -> Call[models.Alert]:
        """One alert."""
        return calls.get(models.Alert, "alerts", alert_id)

    @many
    def timeline(self, alert_id: str) -> Listing[models.TimelineEntry]:
        """Everything that happened with it, the oldest first: triggers, decisions with their reasons, deliveries."""
        return calls.listing(models.TimelineEntry, "alerts", alert_id, "timeline")

    @one
    def acknowledge(self, alert_id: str, *, version: int | None = None) -> Call[models.Alert]:
        """Somebody is on it. `version` refuses it (`Outdated`) where the alert moved on since."""
        return calls.write(models.Alert, "POST", "alerts", alert_id, "acknowledge", body={}, if_match=version)

    @one
    def resolve(self, alert_id: str, notes: str | None = None, *, version: int | None = None) -> Call[models.Alert]:
        """It is over."""
        body = {"notes": notes} if notes else {}
        return calls.write(models.Alert, "POST", "alerts", alert_id, "resolve", body=body, if_match=version)

    @one
    def snooze(self, alert_id: str, until: datetime | None, *, version: int | None = None) -> Call[models.Alert]:
        """Nobody is told of it until then, and everybody if it is open by that time; None ends the snooze."""
        body = {"until": None if until is None else calls.moment(until)}
        return calls.write(models.Alert, "POST", "alerts", alert_id, "snooze", body=body, if_match=version)

    @one
    def assign(self, alert_id: str, user_id: str | None, *, version: int | None = None) -> Call[models.Alert]:
        """Who is to look after it: a member, who finds it in their inbox, or None for nobody in particular."""
        body = {"user_id": user_id}
        return calls.write(models.Alert, "POST", "alerts", alert_id, "assign", body=body, if_match=version)

    @one
    def judge(self, alert_id: str, verdict: str) -> Call[models.Alert]:
        """Say that it was `useful` or a `false_alarm`; your last word counts."""
        return calls.write(models.Alert, "POST", "alerts", alert_id, "verdict", body={"verdict": verdict})

    @one
    def acknowledge_all(self, alert_ids: Sequence[str]) -> Call[models.BulkAnswer]:
        """Acknowledge up to 500 at once; each has an outcome of its own."""
        return calls.write(models.BulkAnswer, "POST", "alerts", "bulk", body=_bulk("acknowledge", alert_ids))

    @one
    def resolve_all(self, alert_ids: Sequence[str], notes: str | None = None) -> Call[models.BulkAnswer]:
        """Resolve up to 500 at once; each has an outcome of its own."""
        return calls.write(models.BulkAnswer, "POST", "alerts", "bulk", body=_bulk("resolve", alert_ids, notes))


class Frameworks(Resource[C]):
    """The monitored scopes of a workspace."""

    @many
    def list(self) -> Listing[models.Framework]:
        """Frameworks, the oldest first."""
        return calls.listing(models.Framework, "frameworks")

    @one
    def get(self, framework_id: str) -> Call[models.Framework]:
        """One framework."""
        return calls.get(models.Framework, "frameworks", framework_id)

    @one
    def create(self, **fields: Unpack[FrameworkFields]) -> Call[models.Framework]:
        """Make one; `Conflict` where the name is taken."""
        return calls.write(models.Framework, "POST", "frameworks", body=fields)

    @one
    def change(self, framework_id: str, **fields: Unpack[FrameworkFields]) -> Call[models.Framework]:
        """Change what is named."""
        return calls.write(models.Framework, "PATCH", "frameworks", framework_id, body=fields)

    @one
    def delete(self, framework_id: str) -> Call[None]:
        """Delete it with its rules; its open alerts are resolved."""
        return calls.remove("frameworks", framework_id)


class Rules(Resource[C]):
    """What decides on observations."""

    @many
    def list(
        self, *, framework_id: str | None = None, enabled: bool | None = None, alert_type: str | None = None
    ) -> Listing[models.Rule]:
        """Rules, the oldest first."""
        query = calls.asked(framework_id=framework_id, enabled=enabled, alert_type=alert_type)
        return calls.listing(models.Rule, "rules", query=query)

    @one
    def get(self, rule_id: str) -> Call[models.Rule]:
        """One rule."""
        return calls.get(models.Rule, "rules", rule_id)

    @one
    def create(self, **fields: Unpack[RuleFields]) -> Call[models.Rule]:
        """Make one."""
        return calls.write(models.Rule, "POST", "rules", body=fields)

    @one
    def change(self, rule_id: str, *, version: int | None = None, **fields: Unpack[RuleFields]) -> Call[models.Rule]:
        """Change what is named. Disabling it, or another metric, resolves its open alerts.

        With the `version` that was seen: `Outdated` where somebody changed it since.
        """
        return calls.write(models.Rule, "PATCH", "rules", rule_id, body=fields, if_match=version)

    @one
    def delete(self, rule_id: str, *, version: int | None = None) -> Call[None]:
        """Delete it; its open alerts are resolved. `version` as for `change`."""
        return calls.remove("rules", rule_id, if_match=version)


class Channels(Resource[C]):
    """Where notifications go."""

    @many
    def list(self) -> Listing[models.Channel]:
        """Channels, the oldest first."""
        return calls.listing(models.Channel, "channels")

    @one
    def get(self, channel_id: str) -> Call[models.Channel]:
        """One channel."""
        return calls.get(models.Channel, "channels", channel_id)

    @one
    def create(self, **fields: Unpack[ChannelFields]) -> Call[models.Channel]:
        """Make one; the answer alone tells a webhook's `generated_secret`."""
        return calls.write(models.Channel, "POST", "channels", body=fields)

    @one
    def change(self, channel_id: str, **fields: Unpack[ChannelFields]) -> Call[models.Channel]:
        """Change what is named."""
        return calls.write(models.Channel, "PATCH", "channels", channel_id, body=fields)

    @one
    def delete(self, channel_id: str) -> Call[None]:
        """Delete it."""
        return calls.remove("channels", channel_id)

    @one
    def test(self, channel_id: str) -> Call[models.TestSent]:
        """Send a test notification; what becomes of it is in its delivery."""
        return calls.write(models.TestSent, "POST", "channels", channel_id, "test")


class Silences(Resource[C]):
    """What nobody is told about for a while. A matcher is `{"name": …, "op": "=", "value": …}`."""

    @many
    def list(self, *, state: str | None = None) -> Listing[models.Silence]:
        """Silences, the newest first; those that are over are kept."""
        return calls.listing(models.Silence, "silences", query=calls.asked(state=state))

    @one
    def get(self, silence_id: str) -> Call[models.Silence]:
        """One silence."""
        return calls.get(models.Silence, "silences", silence_id)

    @one
    def create(
        self,
        matchers: Sequence[Mapping[str, str]],
        ends_at: datetime,
        *,
        starts_at: datetime | None = None,
        rrule: str | None = None,
        timezone: str | None = None,
        comment: str = "",
    ) -> Call[models.Silence]:
        """Make one, from now on unless told otherwise; what still fires when it ends is told then."""
        fields = {"starts_at": starts_at and calls.moment(starts_at), "rrule": rrule, "timezone": timezone}
        told = {"matchers": matchers, "ends_at": calls.moment(ends_at), "comment": comment}
        return calls.write(models.Silence, "POST", "silences", body={**told, **calls.given(fields)})

    @one
    def preview(self, matchers: Sequence[Mapping[str, str]]) -> Call[models.SilencePreview]:
        """What a silence with these matchers would be about."""
        return calls.write(models.SilencePreview, "POST", "silences", "preview", body={"matchers": matchers})

    @one
    def expire(self, silence_id: str) -> Call[None]:
        """End one now."""
        return calls.remove("silences", silence_id)


class Deliveries(Resource[C]):
    """The ledger of what was sent where."""

    @many
    def list(
        self, *, status: str | None = None, channel_id: str | None = None, alert_id: str | None = None
    ) -> Listing[models.Delivery]:
        """Deliveries, the newest first."""
        query = calls.asked(status=status, channel_id=channel_id, alert_id=alert_id)
        return calls.listing(models.Delivery, "deliveries", query=query)

    @one
    def get(self, delivery_id: str) -> Call[models.Delivery]:
        """One delivery with its attempts."""
        return calls.get(models.Delivery, "deliveries", delivery_id)

    @one
    def replay(self, delivery_id: str) -> Call[models.Delivery]:
        """Try one that failed anew."""
        return calls.write(models.Delivery, "POST", "deliveries", delivery_id, "replay")


class Queues(Resource[C]):
    """What waits, and what was put aside after it had failed too often."""

    @many
    def list(self, *, scope: str | None = None) -> Listing[models.Queue]:
        """Every queue; `scope="installation"` takes a token with the claim `operator`."""
        return calls.listing(models.Queue, "queues", query=calls.asked(scope=scope))

    @many
    def quarantine(self, name: str) -> Listing[models.Quarantined]:
        """What was put aside, the newest first."""
        return calls.listing(models.Quarantined, "queues", name, "quarantine")

    @one
    def replay(self, name: str, ids: Sequence[str] | None = None) -> Call[models.Moved]:
        """Put these, or the oldest 500, back to work."""
        return calls.write(models.Moved, "POST", "queues", name, "quarantine", "replay", body=_chosen(ids))

    @one
    def drop(self, name: str, ids: Sequence[str] | None = None) -> Call[models.Moved]:
        """Give these, or the oldest 500, up for good."""
        return calls.write(models.Moved, "POST", "queues", name, "quarantine", "drop", body=_chosen(ids))


class Jobs(Resource[C]):
    """What the installation does by the clock."""

    @many
    def list(self) -> Listing[models.Job]:
        """Every job of the timetable."""
        return calls.listing(models.Job, "jobs")

    @one
    def get(self, name: str) -> Call[models.Job]:
        """One job with its newest runs."""
        return calls.get(models.Job, "jobs", name)

    @one
    def run(self, name: str) -> Call[models.JobAsked]:
        """Ask for a run now."""
        return calls.write(models.JobAsked, "POST", "jobs", name, "run")

    @one
    def suspend(self, name: str) -> Call[models.Job]:
        """Take it off its timetable."""
        return calls.write(models.Job, "POST", "jobs", name, "suspend")

    @one
    def resume(self, name: str) -> Call[models.Job]:
        """Put it on its timetable again."""
        return calls.write(models.Job, "POST", "jobs", name, "resume")


class Observations(Resource[C]):
    """What was observed, read back. `Client.observe` sends."""

    @one
    def read(
        self,
        framework_id: str,
        metric: str,
        *,
        labels: Mapping[str, str] | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
        points: int | None = None,
        limit: int | None = None,
    ) -> Call[models.ObservedMetric]:
        """A metric over a period, the last six hours by default: up to `limit` series of up to `points` points."""
        tests = [f"{name}={value}" for name, value in (labels or {}).items()]
        query = calls.asked(
            framework_id=framework_id, metric=metric, label=tests, to=end, points=points, limit=limit, **{"from": begin}
        )
        return calls.get(models.ObservedMetric, "observations", query=query)

    @many
    def metrics(self, framework_id: str) -> Listing[models.MetricSeen]:
        """The metrics that a framework was observed by, by name."""
        query = calls.asked(framework_id=framework_id)
        return calls.listing(models.MetricSeen, "observations", "metrics", query=query)


class Triggers(Resource[C]):
    """Alerts that the sender vouches for."""

    @one
    def send(self, *triggers: Trigger, idempotency_key: str | None = None) -> Call[models.Accepted]:
        """Send up to 1,000; once they are accepted each will be processed."""
        body = [trigger.body() for trigger in triggers]
        return calls.once(calls.write(models.Accepted, "POST", "triggers", body=body), idempotency_key)


class Broadcasts(Resource[C]):
    """Messages to whoever watches."""

    @one
    def send(
        self, message: object, *, framework_id: str | None = None, client_id: str | None = None
    ) -> Call[models.Accepted]:
        """Send any JSON to one client, to a framework's watchers, or to the workspace's."""
        body = {**calls.given({"framework_id": framework_id, "client_id": client_id}), "message": message}
        return calls.write(models.Accepted, "POST", "broadcast", body=body)


class Resources(Generic[C]):
    """All of them, as both clients have them."""

    def __init__(self, client: C) -> None:
        self.alerts: Alerts[C] = Alerts(client)
        self.frameworks: Frameworks[C] = Frameworks(client)
        self.rules: Rules[C] = Rules(client)
        self.channels: Channels[C] = Channels(client)
        self.silences: Silences[C] = Silences(client)
        self.deliveries: Deliveries[C] = Deliveries(client)
        self.queues: Queues[C] = Queues(client)
        self.jobs: Jobs[C] = Jobs(client)
        self.observations: Observations[C] = Observations(client)
        self.triggers: Triggers[C] = Triggers(client)
        self.broadcasts: Broadcasts[C] = Broadcasts(client)


def _alerts(
    framework_id: str | None,
    status: Sequence[str],
    severity: Sequence[str],
    alert_type: str | None,
    since: datetime | None,
    q: str | None,
) -> Listing[models.Alert]:
    query = calls.asked(
        framework_id=framework_id, status=status, severity=severity, alert_type=alert_type, since=since, q=q
    )
    return calls.listing(models.Alert, "alerts", query=query)


def _bulk(action: str, alert_ids: Sequence[str], notes: str | None = None) -> dict[str, Any]:
    return calls.given({"ids": alert_ids, "action": action, "notes": notes})


def _chosen(ids: Sequence[str] | None) -> dict[str, Sequence[str]]:
    return {} if ids is None else {"ids": ids}
