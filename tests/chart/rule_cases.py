"""Cases for every alert: series as Prometheus would have them, and for which of them the alert fires.

Values lie within half of a threshold on either side of it, so that a threshold that is changed by that much is found
out. Series are of namespace `a` unless they say another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Series = Mapping[str, str]
Labels = Mapping[str, str]

A: Final = {"namespace": "a"}


@dataclass(frozen=True)
class Case:
    """At `minute` the alert fires for `fires`, each with its labels beside the name; at `quiet_at` for none yet."""

    alert: str
    name: str
    series: Series
    minute: int
    fires: Sequence[Labels] = ()
    quiet_at: int | None = None
    step: int = 1


def info(component: str, values: str = "1x60", namespace: str = "a", **labels: str) -> Series:
    """A process that says what it is."""
    labels = {"component": component, "namespace": namespace, "version": "1.0", **labels}
    return {_series("convex_build_info", labels): values}


def a(name: str, values: str, **labels: str) -> Series:
    """A series of namespace `a`."""
    return {_series(name, {"namespace": "a", **labels}): values}


def join(*some: Series) -> Series:
    return {name: values for one in some for name, values in one.items()}


def _series(name: str, labels: Labels) -> str:
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}"


def _counter(per_minute: float, minutes: int = 60) -> str:
    return f"0+{per_minute:.6f}x{minutes}"


def latency(events: float, share: float, below: int, above: int) -> Series:
    """`events` a minute, of which `share` take up to `below` ms and the others up to `above`."""
    name = "alert_processing_latency_ms"
    return join(
        a(f"{name}_bucket", _counter(events * share), le=f"{below}.0"),
        a(f"{name}_bucket", _counter(events), le=f"{above}.0"),
        a(f"{name}_bucket", _counter(events), le="+Inf"),
        a(f"{name}_count", _counter(events)),
    )


def requests(route: str, errors: float, share: float) -> Series:
    """`errors` a minute, which are `share` of all requests."""
    name = "http_request_seconds_count"
    return join(
        a(name, _counter(errors), route=route, status="5xx"),
        a(name, _counter(errors / share - errors), route=route, status="2xx"),
    )


def attempts(failed: float, share: float) -> Series:
    """`failed` attempts a minute by e-mail, which are `share` of all."""
    name = "notifications_sent_total"
    return join(
        a(name, _counter(failed), channel="email", status="retry"),
        a(name, _counter(failed / share - failed), channel="email", status="delivered"),
        a(name, _counter(100), channel="webhook", status="delivered"),
    )


def look_ups(per_minute: float, hits: float) -> Series:
    return join(
        a("cache_hits_total", _counter(per_minute * hits), **{"class": "rules"}),
        a("cache_misses_total", _counter(per_minute * (1 - hits)), **{"class": "rules"}),
    )


def availability() -> Iterator[Case]:
    everything = join(*(info(one) for one in ("gateway", "processor", "notifier", "analytics", "scheduler")))
    yield Case("Watchdog", "always", {}, 0, [{}])

    yield Case("Absent", "nothing at all", {}, 6, [{}], quiet_at=4)
    yield Case("Absent", "one process is there", info("analytics"), 6)
    gone = join(info("gateway", "1x5 stale"), info("gateway", namespace="b"))
    yield Case("Absent", "one of two installations is gone", gone, 12, [A], quiet_at=10)

    for missing in ("gateway", "processor", "notifier", "scheduler"):
        others = {name: values for name, values in everything.items() if f'component="{missing}"' not in name}
        yield Case("ServiceAbsent", f"no {missing}", others, 5, [{**A, "component": missing}], quiet_at=4)
    yield Case("ServiceAbsent", "all are there", everything, 6)
    elsewhere = join(everything, *(info(one, namespace="b") for one in ("gateway", "processor", "notifier")))
    missed = [{"namespace": "b", "component": "scheduler"}]
    yield Case("ServiceAbsent", "another installation's does not stand in", elsewhere, 6, missed)
    bare = {'convex_build_info{component="gateway"}': "1x60"}
    missed = [{"component": one} for one in ("processor", "notifier", "scheduler")]
    yield Case("ServiceAbsent", "without the label namespace", bare, 6, missed)

    yield Case("AnalyticsAbsent", "no analytics", info("gateway"), 16, [A], quiet_at=14)
    yield Case("AnalyticsAbsent", "all are there", everything, 16)

    target = {"job": "convex", "instance": "10.0.0.1:9090"}
    was = info("gateway", "1x2 stale", **target)
    down = {"up" + _series("", {**A, **target}): "1x2 0x60"}
    yield Case("TargetDown", "it was ours and is away", join(was, down), 9, [{**A, **target}], quiet_at=7)
    yield Case("TargetDown", "it is up", join(info("gateway", **target), {next(iter(down)): "1x60"}), 9)
    foreign = {'up{job="other",instance="10.0.0.9:9090"}': "0x60"}
    yield Case("TargetDown", "it was never ours", join(was, foreign), 20)

    one = {"pod": "p", **target}
    started = "process_start_time_seconds"
    thrice = join(info("gateway", **one), a(started, "1x5 2x5 3x5 4x15", **one))
    expected = {**A, "pod": "p", "instance": target["instance"]}
    yield Case("Restarting", "three times in half an hour", thrice, 20, [expected])
    yield Case("Restarting", "twice", join(info("gateway", **one), a(started, "1x5 2x5 3x20", **one)), 20)
    yield Case("Restarting", "a process of others", a(started, "1x5 2x5 3x5 4x5 5x5", **one), 20)
    plain = {'process_start_time_seconds{instance="h:1",job="x"}': "1x5 2x5 3x5 4x15"}
    plain |= {'convex_build_info{component="gateway",instance="h:1",job="x"}': "1x60"}
    yield Case("Restarting", "without pods", plain, 20, [{"instance": "h:1"}])

    def files(used: int) -> Series:
        return join(
            info("gateway", **one),
            a("process_open_fds", f"{used}x60", **one),
            a("process_max_fds", "1000x60", **one),
        )

    yield Case("FileDescriptors", "nine of ten", files(900), 11, [expected], quiet_at=9)
    yield Case("FileDescriptors", "seven of ten", files(700), 20)

    two = join(info("gateway", "1x90"), info("processor", "1x90", version="1.1"))
    yield Case("VersionsDiffer", "for an hour", two, 61, [A], quiet_at=58)
    yield Case("VersionsDiffer", "one of two pods", join(info("gateway", "1x90"), info("gateway", "1x90", pod="q")), 61)
    other = join(info("gateway", "1x90"), info("gateway", "1x90", namespace="b", version="2.0"))
    yield Case("VersionsDiffer", "of two installations", other, 61)

    read = "installation_read_timestamp_seconds"
    yield Case("ReadingsOld", "150 s", a(read, "-150+60x20"), 4, [A], quiet_at=2)
    yield Case("ReadingsOld", "100 s", a(read, "-100+60x20"), 10)
    yield Case("ReadingsOld", "one of two schedulers", join(a(read, "0x20"), a(read, "-5+60x20", pod="q")), 10)

    proved = "convex_self_audit_last_success_timestamp_seconds"
    yield Case("SelfAuditFailing", "6 minutes ago", a(proved, "-360x20"), 3, [A], quiet_at=1)
    yield Case("SelfAuditFailing", "4 minutes ago", a(proved, "-240+60x20"), 10)
    yield Case(
        "SelfAuditFailing", "another scheduler knows better", join(a(proved, "0x20"), a(proved, "0+60x20", pod="q")), 10
    )

    yield Case("HealthScoreLow", "60", a("system_health_score", "60x20"), 6, [A], quiet_at=4)
    yield Case("HealthScoreLow", "80", a("system_health_score", "80x20"), 10)
    yield Case("HealthScoreLow", "a moment", a("system_health_score", "60x3 90x20"), 10)


def processing() -> Iterator[Case]:
    slow = latency(5, 0.94, 500, 1000)
    yield Case("LatencyHigh", "p95 583 ms of 25 events", slow, 11, [A], quiet_at=4)
    yield Case("LatencyHigh", "p95 488 ms", latency(5, 0, 250, 500), 20)
    yield Case("LatencyHigh", "slow, but 18 events", latency(3.6, 0.94, 500, 1000), 20)
    yield Case("LatencyHigh", "no event", latency(0, 0.94, 500, 1000), 20)
    reset = {name: values.replace("x60", "x8") + " 0" + values[1:] for name, values in latency(5, 0, 250, 500).items()}
    yield Case("LatencyHigh", "a restart", reset, 20)
    very = latency(5, 0.94, 1000, 2500)
    yield Case("LatencyCritical", "p95 1250 ms of 25 events", very, 11, [A], quiet_at=4)
    yield Case("LatencyCritical", "p95 975 ms", latency(5, 0, 500, 1000), 20)
    yield Case("LatencyCritical", "slow, but 18 events", latency(3.6, 0.94, 1000, 2500), 20)

    for queue in ("alert", "timer"):
        waits = a("oldest_due_seconds", "150x20", queue=queue)
        yield Case("EventsStuck", f"{queue}, 150 s", waits, 4, [{**A, "queue": queue}], quiet_at=2)
        yield Case("EventsStuck", f"{queue}, 100 s", a("oldest_due_seconds", "100x20", queue=queue), 10)
    yield Case("EventsStuck", "another queue", a("oldest_due_seconds", "1000x20", queue="analytics"), 10)

    yield Case("BacklogGrows", "beyond 1000 and rising", a("inbox_backlog", "1100+10x40"), 30, [A])
    yield Case("BacklogGrows", "it drains", a("inbox_backlog", "1500-10x40"), 30)
    yield Case("BacklogGrows", "it rises, but is small", a("inbox_backlog", "700+5x40"), 30)

    errors = "alert_processing_errors_total"
    yield Case("ProcessingErrors", "7 in ten minutes", a(errors, _counter(0.7)), 25, [A], quiet_at=8)
    yield Case("ProcessingErrors", "4 in ten minutes", a(errors, _counter(0.4)), 25)

    def failed(each: int) -> Series:
        return join(
            *(
                a("queue_job_count", f"{each}x20", queue=queue, state="failed", pod=pod)
                for queue in ("alert", "notification")
                for pod in ("p", "q")
            ),
            a("queue_job_count", "99x20", queue="alert", state="waiting"),
        )

    yield Case("FailedJobs", "12 over two queues", failed(6), 3, [A], quiet_at=1)
    yield Case("FailedJobs", "8, told by two schedulers", failed(4), 10)

    kept = a("quarantined", "1x20", queue="alert")
    yield Case("Quarantine", "one event", kept, 6, [{**A, "queue": "alert"}], quiet_at=4)
    yield Case("Quarantine", "none", a("quarantined", "0x20", queue="alert"), 10)

    yield from traffic()

    yield Case("CacheHitRateLow", "60 % of 120", look_ups(8, 0.6), 31, [A], quiet_at=10)
    yield Case("CacheHitRateLow", "80 % of 120", look_ups(8, 0.8), 40)
    yield Case("CacheHitRateLow", "60 % of 75", look_ups(5, 0.6), 40)


def traffic() -> Iterator[Case]:
    """Over a day, in steps of ten minutes."""
    day = 144

    def flows(per_step: float, then: str) -> Series:
        return a("alerts_processed_total", f"0+{per_step}x{day} {then.format(per_step * day)}")

    alert, end = "TrafficStopped", 10 * day + 60
    stops = flows(40, "{}x12")
    yield Case(alert, "after 120 in the same half hour", stops, end, [A], quiet_at=end - 20, step=10)
    yield Case(alert, "after 80 in the same half hour", flows(26.7, "{}x12"), end, step=10)
    yield Case(alert, "it goes on", flows(40, "{}+40x12"), end, step=10)
    yield Case(alert, "a new installation", a("alerts_processed_total", "0x12"), 60, step=10)


def gateway() -> Iterator[Case]:
    for alert, route, minute in (("EventsRefused", "ingest", 8), ("GatewayErrors", "api", 11)):
        quiet = minute - 6
        yield Case(alert, "6 %, 13 of them", requests(route, 2.6, 0.06), minute, [A], quiet_at=quiet)
        yield Case(alert, "4 %, 13 of them", requests(route, 2.6, 0.04), 20)
        yield Case(alert, "6 %, 8 of them", requests(route, 1.6, 0.06), 20)
    yield Case("EventsRefused", "the API's are others", requests("api", 5, 0.5), 20)
    yield Case("GatewayErrors", "those with events are others", requests("ingest", 5, 0.5), 20)

    def faults(per_minute: float, sockets: int) -> Series:
        return join(
            a("websocket_errors_total", _counter(per_minute)), a("websocket_connections_active", f"{sockets}x60")
        )

    yield Case("WebSocketErrors", "60 of 500", faults(6, 500), 16, [A], quiet_at=7)
    yield Case("WebSocketErrors", "60 of 800", faults(6, 800), 30)
    yield Case("WebSocketErrors", "40 of 100", faults(4, 100), 30)

    labels = {"class": "ingest", "scope": "workspace"}
    limited = "rate_limited_total"
    yield Case("RateLimited", "1.2/s", a(limited, _counter(72), **labels), 31, [{**A, **labels}], quiet_at=14)
    yield Case("RateLimited", "0.8/s", a(limited, _counter(48), **labels), 40)


def stores() -> Iterator[Case]:
    def up(store: str, *values: int) -> Series:
        return join(*(a("store_up", f"{one}x20", store=store, pod=str(pod)) for pod, one in enumerate(values)))

    yield Case("PostgresUnreachable", "one of two cannot", up("postgres", 0, 1), 3, [A], quiet_at=1)
    yield Case("PostgresUnreachable", "all can", up("postgres", 1, 1), 10)
    yield Case("PostgresUnreachable", "a moment", a("store_up", "0x1 1x20", store="postgres"), 10)
    yield Case("PostgresUnreachable", "another store", up("redis", 0), 10)
    for store in ("redis", "cache"):
        yield Case("RedisUnreachable", store, up(store, 0, 1), 6, [{**A, "store": store}], quiet_at=4)
    yield Case("RedisUnreachable", "all can", join(up("redis", 1), up("cache", 1), up("postgres", 0)), 10)

    errors, asked = "store_errors_total", {"store": "postgres"}
    yield Case("StoreErrors", "0.12/s", a(errors, _counter(7.2), **asked), 21, [{**A, **asked}], quiet_at=14)
    yield Case("StoreErrors", "0.08/s", a(errors, _counter(4.8), **asked), 30)

    held = "database_snapshot_held_seconds"
    yield Case("SnapshotHeld", "700 s", a(held, "700x20"), 6, [A], quiet_at=4)
    yield Case("SnapshotHeld", "500 s", a(held, "500x20"), 10)

    end, table = "partition_end_timestamp_seconds", {"table": "inbox"}
    yield Case("PartitionsMissing", "for 38 h", a(end, "140000x20", **table), 11, [{**A, **table}], quiet_at=9)
    yield Case("PartitionsMissing", "for 55 h", a(end, "200000x20", **table), 15)

    skew = "database_clock_offset_seconds"
    yield Case("ClockSkew", "2.5 s behind", a(skew, "-2.5x20"), 11, [A], quiet_at=9)
    yield Case("ClockSkew", "1.5 s ahead", a(skew, "1.5x20"), 15)


def jobs() -> Iterator[Case]:
    overdue = "scheduled_job_overdue_seconds"
    fired = [{**A, "scheduled_job": "retention"}]
    renamed = {"job": "convex-scheduler", "exported_job": "retention"}
    yield Case(
        "JobOverdue", "4000 s, Prometheus has its own job", a(overdue, "4000x20", **renamed), 6, fired, quiet_at=4
    )
    yield Case("JobOverdue", "4000 s, labels are honored", a(overdue, "4000x20", job="retention"), 6, fired)
    yield Case("JobOverdue", "3000 s", a(overdue, "3000x20", job="retention"), 10)
    reachable = "kubernetes_reachable"
    yield Case("KubernetesUnreachable", "for ten minutes", a(reachable, "0x20"), 11, [A], quiet_at=9)
    yield Case(
        "KubernetesUnreachable", "it answers one of two", join(a(reachable, "0x20", pod="p"), a(reachable, "1x20")), 15
    )
    yield Case("KubernetesUnreachable", "not in a cluster", info("scheduler"), 15)


def notifications() -> Iterator[Case]:
    oldest = "oldest_due_seconds"
    yield Case("DeliveriesStuck", "360 s", a(oldest, "360x20", queue="notification"), 6, [A], quiet_at=4)
    yield Case("DeliveriesStuck", "240 s", a(oldest, "240x20", queue="notification"), 10)
    delayed = {"queue": "notification", "state": "delayed"}
    yield Case("NotificationsDelayed", "60", a("queue_job_count", "60x20", **delayed), 16, [A], quiet_at=14)
    yield Case("NotificationsDelayed", "40", a("queue_job_count", "40x20", **delayed), 20)
    email = [{**A, "channel": "email"}]
    yield Case("ChannelFailing", "60 %, 7 of them", attempts(0.7, 0.6), 20, email, quiet_at=6)
    yield Case("ChannelFailing", "40 %, 7 of them", attempts(0.7, 0.4), 20)
    yield Case("ChannelFailing", "60 %, 4 of them", attempts(0.4, 0.6), 20)
    for burn in BURNS:
        yield from burn.cases()


@dataclass(frozen=True)
class Burn:
    """A burn rate: its windows and hold time in minutes, and the share of misses that it allows."""

    alert: str
    long: int
    short: int
    hold: int
    limit: float
    step: int

    def cases(self) -> Iterator[Case]:
        high, low = 1.25 * self.limit, 0.77 * self.limit
        end = self.long + self.hold + 4 * self.step
        yield self._case("three missed", self._steady(high, 3), [A])
        yield self._case("two missed", self._steady(high, 2))
        yield self._case("less than the limit", self._steady(low, 3))
        yield self._case("it is over", self._turned(high, low))
        yield self._case("it begins", self._turned(low, high))
        calm = _counter(10 * self.step, end // self.step // 2)
        twice = f"{calm} {calm}"
        healthy = join(
            *(
                a(f"notification_delivery_seconds_{part}", twice, channel="email", **more)
                for part, more in (
                    ("count", {}),
                    ("bucket", {"le": "60.0"}),
                    ("bucket", {"le": "+Inf"}),
                )
            ),
            a("notifications_undelivered_total", "0x" + str(end // self.step), channel="email", status="failed"),
        )
        yield self._case("restarts", healthy)

    def _case(self, name: str, series: Series, fires: Sequence[Labels] = ()) -> Case:
        return Case(self.alert, name, series, self._end, fires, step=self.step)

    @property
    def _end(self) -> int:
        return self.long + self.hold + 4 * self.step

    def _steady(self, share: float, missed: float) -> Series:
        """As many missed within the long window, a third of them late and the others given up."""
        each = missed / self.long
        return self._series(each / share, [(each, self._end)])

    def _turned(self, long: float, short: float) -> Series:
        """At the end the long window has the one share, the short one the other; enough are missed for the guard."""
        total, tail = 6 / (long * self.long), self.short + self.hold + 2 * self.step
        before = (long * self.long - short * tail) / (self.long - tail)
        return self._series(total, [(total * before, self._end - tail), (total * short, tail)])

    def _series(self, total: float, missed: Sequence[tuple[float, int]]) -> Series:
        """Per minute; `missed` in pieces of so many minutes."""
        late, given_up, in_time = list[str](), list[str](), list[str]()
        sums = [0.0, 0.0, 0.0]
        for each, minutes in missed:
            rates = [self.step * rate for rate in (each / 3, each * 2 / 3, total - each)]
            steps = minutes // self.step
            for pieces, at, rate in zip((late, given_up, in_time), sums, rates, strict=True):
                pieces.append(f"{at:.6f}+{rate:.6f}x{steps - 1}")
            sums = [at + rate * steps for at, rate in zip(sums, rates, strict=True)]
        labels = {"channel": "email"}
        return join(
            a("notification_delivery_seconds_bucket", " ".join(in_time), le="60.0", **labels),
            a("notification_delivery_seconds_count", " ".join(_sum(late, in_time)), **labels),
            a("notifications_undelivered_total", " ".join(given_up), status="quarantined", **labels),
        )


def _sum(some: Sequence[str], others: Sequence[str]) -> Iterator[str]:
    for one, other in zip(some, others, strict=True):
        (a0, rest0), (a1, rest1) = one.split("+"), other.split("+")
        (r0, steps), (r1, _) = rest0.split("x"), rest1.split("x")
        yield f"{float(a0) + float(a1):.6f}+{float(r0) + float(r1):.6f}x{steps}"


BURNS: Final = (
    Burn("DeliveryBurn1h", 60, 5, 2, 0.0144, 1),
    Burn("DeliveryBurn6h", 360, 30, 15, 0.006, 5),
    Burn("DeliveryBurn1d", 1440, 120, 60, 0.003, 30),
    Burn("DeliveryBurn3d", 4320, 360, 180, 0.001, 60),
)

CASES: Final = (
    *availability(),
    *processing(),
    *gateway(),
    *stores(),
    *jobs(),
    *notifications(),
)
