"""What waits, what failed, and what is done by the clock."""

from __future__ import annotations

from charts.dashboards import figures, limits
from charts.dashboards.frame import Board, Row
from charts.dashboards.panels import GREEN, ORANGE, RED, Column, Panel, Query, figure, listing, series, states
from charts.dashboards.promql import installed, job, of, quantile, total

OUTCOMES = {
    "1": ("completed", GREEN),
    "2": ("skipped", "blue"),
    "3": ("failed", RED),
    "4": ("quarantined", "dark-red"),
}
EACH = "namespace, job"


def board() -> Board:
    """Queues first, then the jobs of the timetable."""
    return Board(
        "queue-status",
        "Queue status",
        "Does work get done, what was put aside for a person, and did every job run when it was due?",
        [
            Row("Now", _now(), height=4, widths=[5, 5, 5, 5, 4]),
            Row("Queues", _queues(), height=9),
            Row("How long it takes", _times()),
            Row("Jobs", [_timetable()], height=9),
            Row("How jobs went", _jobs()),
        ],
        since="now-6h",
    )


def _now() -> list[Panel]:
    overdue = job("scheduled_job_overdue_seconds", by=EACH)
    return [
        figure(
            "Waiting",
            "Events, deliveries and jobs that are due and wait, over all queues.",
            installed("queue_job_count", 'state="waiting"'),
            empty="no scheduler",
        ),
        figures.oldest(
            "Oldest",
            "How long the oldest work that is due has waited, over all queues.",
            f"max({of('oldest_due_seconds')})",
            limits.EVENT_WAITS,
        ),
        figures.failed(),
        figures.quarantined(),
        figure(
            "Jobs overdue",
            "Jobs that should have succeeded by now, and did not.",
            f"sum({overdue} > bool 0)",
            steps=[(1, ORANGE)],
            empty="no scheduler",
        ),
    ]


def _queues() -> list[Panel]:
    count = "queue_job_count"
    return [
        series(
            "Waiting and under way",
            "By queue. It should come back to zero; where it only rises, add workers of that queue.",
            Query(installed(count, 'state=~"waiting|active"', by="queue"), "{{queue}}"),
            colours={},
        ),
        series(
            "Put off",
            "What waits for its next try or its time, by queue. A rule fires where more notifications do than "
            "the dashed line says.",
            Query(installed(count, 'state="delayed"', by="queue"), "{{queue}}"),
            lines=((limits.PUT_OFF, ORANGE),),
            colours={},
        ),
        series(
            "Failed and in quarantine",
            "By queue. A rule fires where more have failed than the dashed line says.",
            Query(installed(count, 'state="failed"', by="queue"), "{{queue}} failed"),
            Query(installed("quarantined", by="queue"), "{{queue}} in quarantine"),
            lines=((limits.FAILED_JOBS, RED),),
            colours={},
        ),
    ]


def _times() -> list[Panel]:
    return [
        series(
            "Messages handled",
            "How many messages workers finish, by queue.",
            Query(total("queue_processing_seconds_count", by="queue"), "{{queue}}"),
            unit="ops",
            colours={},
        ),
        series(
            "Waited, p95",
            "How long a message waited for a worker. Points lead to traces.",
            Query(quantile(0.95, "queue_wait_seconds", by="queue"), "{{queue}}", exemplars=True),
            unit="s",
            colours={},
        ),
        series(
            "Took, p95",
            "How long a message's handler took. Points lead to traces.",
            Query(quantile(0.95, "queue_processing_seconds", by="queue"), "{{queue}}", exemplars=True),
            unit="s",
            colours={},
        ),
    ]


def _timetable() -> Panel:
    return listing(
        "Jobs",
        "The timetable, a row for each job. Schedules are in UTC.",
        [
            job("scheduled_job_info", by=f"{EACH}, schedule, priority"),
            f"{job('scheduled_job_last_status', by=f'{EACH}, status')} == 1",
            f"time() - {job('scheduled_job_last_run_timestamp_seconds', by=EACH)}",
            f"time() - {job('scheduled_job_last_success_timestamp_seconds', by=EACH)}",
            job("scheduled_job_duration_seconds", by=EACH),
            f"{job('scheduled_job_next_run_timestamp_seconds', by=EACH)} - time()",
            job("scheduled_job_overdue_seconds", by=EACH),
            job("scheduled_job_suspended", by=EACH),
        ],
        {
            "namespace": Column("Namespace"),
            "job": Column("Job", width=240),
            "schedule": Column("Schedule"),
            "priority": Column("Priority"),
            "status": Column("Ended", texts={text: (text, colour) for text, colour in OUTCOMES.values()}),
            "Value #H": Column("Suspended", texts={"0": ("no", GREEN), "1": ("suspended", ORANGE)}),
            "Value #C": Column("Ended ago", unit="s", decimals=0),
            "Value #D": Column("Succeeded ago", unit="s", decimals=0),
            "Value #E": Column("Took", unit="s"),
            "Value #F": Column("Due in", unit="s", decimals=0),
            "Value #G": Column("Overdue by", unit="s", decimals=0, steps=((1, ORANGE), (limits.OVERDUE, RED))),
        },
        sort="Overdue by",
        empty="no scheduler",
    )


def _jobs() -> list[Panel]:
    coded = [
        f"{value} * ({job('scheduled_job_last_status', _ended(text), by='job, status')} == 1)"
        for value, (text, _) in OUTCOMES.items()
    ]
    return [
        states(
            "How each job's newest run ended",
            "Over time. Skipped means that there was nothing to do, or no worker for it.",
            Query(f"max by (job) ({' or '.join(coded)})", "{{job}}"),
            OUTCOMES,
        ),
        series(
            "Runs that ended",
            "Of all jobs, by outcome, within the hour before.",
            Query(f"sum by (status) (increase({of('scheduled_job_runs_total')}[1h]))", "{{status}}"),
        ),
        series(
            "How long runs take",
            "Of each job, its newest run.",
            Query(job("scheduled_job_duration_seconds"), "{{job}}"),
            unit="s",
            colours={},
        ),
    ]


def _ended(status: str) -> str:
    return f'status="{status}"'
