"""The shapes of queries. Each selects `$namespace`, and each is also right where no such label exists."""

from __future__ import annotations

from typing import Final

NAMESPACE: Final = 'namespace=~"$namespace"'
WINDOW: Final = "$__rate_interval"
LATELY: Final = "10m"
"""The window of a figure that stands alone: long enough to say something at a few alerts a minute."""
FIRING: Final = 'alertname=~"ConvexAlerts.+", alertstate="firing", namespace=~"$namespace|"'
"""Matchers of ALERTS. An alert without a namespace, such as the dead man's switch, is everybody's."""
DEAD_MAN: Final = 'ALERTS{alertname="ConvexAlertsWatchdog", alertstate="firing"}'
"""It always fires; where it does not, nobody evaluates the rules, and that no alert fires is no good news."""


def of(metric: str, *matchers: str) -> str:
    """The series of a metric."""
    return f"{metric}{{{', '.join((NAMESPACE, *matchers))}}}"


def rate(metric: str, *matchers: str, window: str = WINDOW) -> str:
    """What a counter rises by in a second."""
    return f"rate({of(metric, *matchers)}[{window}])"


def total(metric: str, *matchers: str, by: str = "", window: str = WINDOW) -> str:
    """The rate over all processes, or for each value of a label."""
    return f"sum{_by(by)}({rate(metric, *matchers, window=window)})"


def risen(metric: str, *matchers: str, by: str = "", window: str = "$__range") -> str:
    """By how much a counter rose within the window."""
    return f"sum{_by(by)}(increase({of(metric, *matchers)}[{window}]))"


def quantile(share: float, histogram: str, *matchers: str, by: str = "", window: str = WINDOW) -> str:
    """A quantile over all processes; nothing, rather than NaN, where nothing was observed."""
    buckets = total(f"{histogram}_bucket", *matchers, by=", ".join(filter(None, ("le", by))), window=window)
    return f"histogram_quantile({share}, {buckets}) >= 0"


def mean(histogram: str, *matchers: str, by: str = "") -> str:
    """The mean over all processes; nothing where nothing was observed."""
    sums, counts = (total(f"{histogram}_{part}", *matchers, by=by) for part in ("sum", "count"))
    return f"{sums} / ({counts} > 0)"


def installed(metric: str, *matchers: str, by: str = "") -> str:
    """A gauge that each scheduler tells of its whole installation: once for each, and then added up."""
    labels = ", ".join(filter(None, ("namespace", by)))
    return f"sum{_by(by)}(max by ({labels}) ({of(metric, *matchers)}))"


def job(metric: str, *matchers: str, by: str = "job") -> str:
    """What a scheduler tells of its jobs.

    Their label `job` becomes `exported_job` where Prometheus puts its own in that place (`honor_labels: false`).
    """
    named = f'label_replace({of(metric, *matchers)}, "job", "$1", "exported_job", "(.+)")'
    return f"max by ({by}) ({named})"


def ours(expression: str, *matchers: str) -> str:
    """What any process tells of itself (`process_*`, `python_*`), of our processes alone and with their component."""
    component = f"max by (job, instance, component) ({of('convex_build_info', *matchers)})"
    return f"{expression} * on (job, instance) group_left (component) {component}"


def share(part: str, others: str) -> str:
    """Percent that a part is of itself and the others; nothing where there is none of either."""
    return f"100 * {part} / ({part} + {others} > 0)"


def by_process(expression: str, *matchers: str) -> str:
    """For each of our processes, by the name of its pod, or by its address where there are no pods."""
    name = ours(expression, *matchers)
    for label in ("instance", "pod"):
        name = f'label_replace({name}, "process", "$1", "{label}", "(.+)")'
    return f"sum by (process) ({name})"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
