"""The processes, and what they stand on."""

from __future__ import annotations

from charts.dashboards import figures, limits
from charts.dashboards.frame import Board, Row
from charts.dashboards.panels import (
    GREEN,
    ORANGE,
    RED,
    Column,
    Panel,
    Query,
    figure,
    listing,
    quantiles,
    series,
    states,
)
from charts.dashboards.promql import LATELY, mean, of, ours, quantile, rate, total

UP = {"0": ("away", RED), "1": ("answers", GREEN)}
FAULTY = 'status="5xx"'
REQUESTS = "http_request_seconds"
RESTARTS = f"changes({of('process_start_time_seconds')}[$__range])"


def board() -> Board:
    """Processes, stores, answers."""
    return Board(
        "system-health",
        "System health",
        "Do all processes run, do they get at their stores, and what do they use?",
        [
            Row("Now", _now(), height=4),
            Row("Health and stores", _stores(), height=9),
            Row("The self-audit: an alert of the installation's own, once a minute", _self_audit()),
            Row("Answers of the gateways", _answers()),
            Row("What processes use", _use(), height=9),
            Row("Processes", [_processes()], height=10),
            Row("The database", _database()),
        ],
    )


def _now() -> list[Panel]:
    up = of("store_up")
    began = ours(of("process_start_time_seconds"))
    return [
        figures.health_score(),
        figure(
            "Stores away",
            "How many of the stores (PostgreSQL, the broker's Redis, the cache's Redis) a process could not reach when "
            "it last wanted to.",
            f"count(min by (namespace, store) ({up}) == 0) or on () (0 * max({up}))",
            steps=[(1, RED)],
            empty="no process",
        ),
        figure(
            "Answers 5xx",
            "Of the gateways' answers of the last 10 minutes, how many were a failure of ours.",
            f"100 * {total(f'{REQUESTS}_count', FAULTY, window=LATELY)} / "
            f"({total(f'{REQUESTS}_count', window=LATELY)} > 0)",
            unit="percent",
            steps=[(1, ORANGE), (limits.REFUSED, RED)],
            empty="no requests",
            decimals=2,
        ),
        figure(
            "Restarts",
            "Processes that began anew in their pod within the time that is shown: they crashed, were killed for "
            "memory, or failed their probe. Pods that a roll-out makes are not among them.",
            f"sum({ours(RESTARTS)})",
            steps=[(1, ORANGE)],
            empty="no process",
            decimals=0,
        ),
        figure(
            "Youngest process",
            "How long ago the newest process began.",
            f"time() - max({began})",
            unit="s",
            empty="no process",
            decimals=0,
        ),
        figure(
            "Versions",
            "How many versions run at once. More than one is a roll-out that is under way, or that stopped half-way.",
            f"count(count by (version) ({of('convex_build_info')}))",
            steps=[(2, ORANGE)],
            empty="no process",
        ),
    ]


def _stores() -> list[Panel]:
    return [
        series(
            "Health score over time",
            "Of each namespace. The dashed line is where a rule fires.",
            Query(f"max by (namespace) ({of('system_health_score')})", "health {{namespace}}"),
            lines=((limits.HEALTH, ORANGE),),
            most=100,
            colours={},
        ),
        states(
            "Stores",
            "Whether they answered when they were last called: away as soon as one process says so. Without the "
            "broker's or the cache's Redis everything is slower and nothing is lost; without PostgreSQL nothing is "
            "accepted.",
            Query(f"min by (store) ({of('store_up')})", "{{store}}"),
            UP,
        ),
        series(
            "Calls that stores did not answer",
            "By store, over all processes.",
            Query(total("store_errors_total", by="store"), "{{store}}"),
            unit="ops",
            colours={},
        ),
    ]


def _self_audit() -> list[Panel]:
    proved = f"max by (namespace) ({of('convex_self_audit_last_success_timestamp_seconds')})"
    return [
        series(
            "Since an alert came through the whole path",
            "The installation's own, from the gateway to its notification. The dashed line is where a rule fires. "
            "Nothing where the self-audit is switched off; since 1970 where it never passed.",
            Query(f"time() - {proved}", "{{namespace}}"),
            unit="s",
            lines=((limits.PROVED, RED),),
            colours={},
        ),
        series(
            "Runs of the self-audit",
            "A minute, over all schedulers, by how they ended, and pings of the dead man's switch, which is told only "
            "of those that passed. /api/metrics/health names the stage that failed.",
            Query(f"60 * {total('convex_self_audit_runs_total', by='outcome')}", "{{outcome}}"),
            Query(f"60 * {total('convex_deadman_pings_total', by='outcome')}", "switch {{outcome}}"),
            colours={"passed": GREEN, "failed": RED, "switch told": "blue", "switch failed": ORANGE},
        ),
        series(
            "Stages of the path",
            "The mean of the runs that reached them. Accepted, stored, seen and notified count from the sending of the "
            "trigger.",
            Query(mean("convex_self_audit_seconds", by="stage"), "{{stage}}"),
            unit="s",
            colours={},
        ),
    ]


def _answers() -> list[Panel]:
    return [
        series(
            "Answers",
            "Of the gateways, by class of the status. 4xx is the caller's fault, 5xx is ours.",
            Query(total(f"{REQUESTS}_count", by="status"), "{{status}}"),
            unit="reqps",
            colours={"2xx": GREEN, "3xx": "text", "4xx": ORANGE, "5xx": RED},
        ),
        series(
            "How long answers take, p95",
            "By what was asked for: `ingest` takes events, `api` is all else that programs ask, `pages` is the "
            "dashboard. Points lead to traces.",
            Query(quantile(0.95, REQUESTS, by="route"), "{{route}}", exemplars=True),
            unit="s",
            colours={},
        ),
        series(
            "How long answers take",
            "Over all of them.",
            *quantiles(REQUESTS),
            unit="s",
        ),
    ]


def _use() -> list[Panel]:
    collections = ours(rate("python_gc_collections_total", 'generation="2"'))
    return [
        series(
            "CPU of the busiest process",
            "Cores, of the busiest process of each service. Near one it is the bottleneck: add pods.",
            Query(f"max by (component) ({ours(rate('process_cpu_seconds_total'))})", "{{component}}"),
            lines=((0.9, ORANGE),),
            colours={},
        ),
        series(
            "Memory of the largest process",
            "Of each service. What rises for days and never falls is a leak; compare it with the pod's limit.",
            Query(f"max by (component) ({ours(of('process_resident_memory_bytes'))})", "{{component}}"),
            unit="bytes",
            colours={},
        ),
        series(
            "Full garbage collections",
            "Per second, of the process of each service that collects most. Each stops its process for some "
            "milliseconds.",
            Query(f"max by (component) ({collections})", "{{component}}"),
            unit="ops",
            colours={},
        ),
    ]


def _processes() -> Panel:
    named = "namespace, component, pod, instance"
    files = f"100 * {of('process_open_fds')} / {of('process_max_fds')}"
    return listing(
        "Processes",
        "A row for each process that Prometheus reaches.",
        [
            f"max by ({named}, version) ({of('convex_build_info')})",
            f"time() - max by ({named}) ({ours(of('process_start_time_seconds'))})",
            f"max by ({named}) ({ours(rate('process_cpu_seconds_total'))})",
            f"max by ({named}) ({ours(of('process_resident_memory_bytes'))})",
            f"max by ({named}) ({ours(files)})",
            f"max by ({named}) ({ours(RESTARTS)})",
        ],
        {
            "namespace": Column("Namespace"),
            "component": Column("Service"),
            "pod": Column("Pod", width=300),
            "instance": Column("Address"),
            "version": Column("Version"),
            "Value #B": Column("Runs for", unit="s", decimals=0),
            "Value #C": Column("CPU", unit="short", decimals=2, steps=((0.9, ORANGE),)),
            "Value #D": Column("Memory", unit="bytes"),
            "Value #E": Column("Open files", unit="percent", decimals=0, steps=((limits.OPEN_FILES, ORANGE),)),
            "Value #F": Column("Restarts", decimals=0, steps=((0.5, ORANGE),)),
        },
        sort="CPU",
        empty="Prometheus reaches no process",
    )


def _database() -> list[Panel]:
    ends = f"min by (table) (max by (namespace, table) ({of('partition_end_timestamp_seconds')})) - time()"
    return [
        series(
            "Longest transaction",
            "For how long a transaction has kept PostgreSQL from removing dead rows, which makes claims slow. Look for "
            "it in pg_stat_activity.",
            Query(f"max by (namespace) ({of('database_snapshot_held_seconds')})", "held {{namespace}}"),
            unit="s",
            lines=((limits.SNAPSHOT, ORANGE),),
            colours={},
        ),
        series(
            "Partitions ahead",
            "For how long each table has partitions from now on; the job `partitions` makes new ones each hour.",
            Query(ends, "{{table}}"),
            unit="s",
            lines=((limits.PARTITIONS, ORANGE),),
            colours={},
            least=None,
        ),
        series(
            "Clocks apart",
            "The scheduler's clock and the database's. Leases go by the database's; latencies are measured wrong by as "
            "much.",
            Query(f"max by (namespace) (abs({of('database_clock_offset_seconds')}))", "apart {{namespace}}"),
            unit="s",
            lines=((limits.CLOCK, ORANGE),),
            colours={},
        ),
    ]
