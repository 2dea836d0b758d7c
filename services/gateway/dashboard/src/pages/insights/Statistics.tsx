import type { components } from "@convex-alerts/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { buttonClass, day, EmptyState, FigureTable, Loading, Problem, Section, Select } from "../../design";
import styles from "../../forms/forms.module.css";
import { useFilters } from "../../forms/useFilters";
import { answered } from "../../rest/answered";
import { useFrameworkName, useFrameworks } from "../../rest/nouns";
import { useApi } from "../../session/useApi";
import { count } from "../health/figures";
import { compared, daysUntil, seconds, share } from "./figures";
import { HeatMap } from "./HeatMap";
import own from "./insights.module.css";
import { type Line, TimeChart } from "./TimeChart";

type Figures = components["schemas"]["PeriodFigures"];
type Answer = components["schemas"]["Statistics"];
type Metric = components["schemas"]["Metric"];
type Series = components["schemas"]["Timeseries"];

const PERIODS = [
  { value: "1", label: "Today" },
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
] as const;
const EVERY = 5 * 60_000;
/** Round lengths of time, in seconds. */
const LENGTHS = [
  1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
];
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** Insights: how alerts went, by framework and in time. Days are those of the reader's clock. */
export function Statistics() {
  const api = useApi();
  const [filters, setFilter] = useFilters(["days", "framework"]);
  const { data: frameworks } = useFrameworks();
  const days = PERIODS.some(({ value }) => value === filters.days) ? filters.days : "7";
  const period = {
    ...daysUntil(new Date(), Number(days), ZONE),
    tz: ZONE,
    ...(filters.framework ? { framework_id: filters.framework } : {}),
  };
  const bucket = days === "1" ? ("hour" as const) : ("day" as const);
  const { data, error, refetch } = useQuery({
    queryKey: ["statistics", period, bucket],
    refetchInterval: EVERY,
    placeholderData: (before) => before,
    queryFn: async () => {
      const series = (metric: Metric) =>
        answered(api.GET("/api/v1/analytics/timeseries", { params: { query: { ...period, metric, bucket } } }));
      const [statistics, severities, acknowledged, resolved] = await Promise.all([
        answered(api.GET("/api/v1/analytics/statistics", { params: { query: period } })),
        series("alerts_by_severity"),
        series("time_to_acknowledge"),
        series("time_to_resolve"),
      ]);
      return { statistics, severities, acknowledged, resolved };
    },
  });
  const query = new URLSearchParams({ ...period, bucket }).toString();
  return (
    <>
      <div className={styles["filters"]}>
        <Select
          label="Period"
          value={days}
          options={PERIODS}
          onChange={(value) => setFilter("days", value === "7" ? "" : value)}
        />
        <Select
          label="Framework"
          value={filters.framework}
          options={[
            { value: "", label: "All frameworks" },
            ...(frameworks ?? []).map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={(value) => setFilter("framework", value)}
        />
        <a className={buttonClass()} href={`/api/v1/analytics/export?${query}`} download>
          Get as CSV
        </a>
      </div>
      {error ? <Problem error={error} retry={() => void refetch()} /> : null}
      {data === undefined ? error ? null : <Loading /> : <Shown {...data} />}
    </>
  );
}

function Shown(props: { statistics: Answer; severities: Series; acknowledged: Series; resolved: Series }) {
  const { statistics, severities, acknowledged, resolved } = props;
  const { total, previous } = statistics;
  const triggered = useMemo(() => severities.series.map(ofSeverity), [severities]);
  const times = useMemo(
    () => [...ofTimes(acknowledged, "acknowledge"), ...ofTimes(resolved, "resolve")],
    [acknowledged, resolved],
  );
  if (statistics.computed_at === null) {
    return (
      <EmptyState title="Nothing is counted in this period">
        Figures are computed every half hour, of every alert that fires.
      </EmptyState>
    );
  }
  return (
    <>
      <div className={styles["cards"]}>
        <Card
          title="Alerts"
          figure={count(total.alerts)}
          told={[compared(total.alerts, previous.alerts), `${count(total.folded)} triggers were folded into them`]}
        />
        <Card
          title="Time to acknowledge"
          figure={seconds(total.time_to_acknowledge.avg)}
          told={[
            `median ${seconds(total.time_to_acknowledge.p50)}, 95 % within ${seconds(total.time_to_acknowledge.p95)}`,
            compared(total.time_to_acknowledge.avg, previous.time_to_acknowledge.avg),
          ]}
        />
        <Card
          title="Time to resolve"
          figure={seconds(total.time_to_resolve.avg)}
          told={[
            `median ${seconds(total.time_to_resolve.p50)}, 95 % within ${seconds(total.time_to_resolve.p95)}`,
            compared(total.time_to_resolve.avg, previous.time_to_resolve.avg),
          ]}
        />
        <Card
          title="False alarms"
          figure={share(total.rates.false_positive)}
          told={[total.judged === 0 ? "nobody has given a verdict" : `of ${count(total.judged)} alerts with a verdict`]}
        />
      </div>
      <Section title="Alerts by severity">
        <TimeChart
          times={severities.times}
          lines={triggered}
          format={(value) => value.toLocaleString()}
          says={`From ${day(statistics.from)} to ${day(statistics.to)}: ${Object.entries(total.by_severity)
            .map(([severity, alerts]) => `${alerts} ${severity}`)
            .join(", ")}.`}
        />
      </Section>
      <Section title="Time to acknowledge and to resolve">
        <TimeChart
          times={acknowledged.times}
          lines={times}
          format={seconds}
          steps={LENGTHS}
          says={`On average ${seconds(total.time_to_acknowledge.avg)} to acknowledge and ${seconds(total.time_to_resolve.avg)} to resolve.`}
        />
      </Section>
      <Section title="Hours of the week">
        <HeatMap byHour={statistics.by_hour} />
      </Section>
      <Frameworks statistics={statistics} />
      <Noisiest statistics={statistics} />
    </>
  );
}

function Card({ title, figure, told }: { title: string; figure: string; told: readonly string[] }) {
  return (
    <section className={styles["card"]} aria-label={title}>
      <h2>{title}</h2>
      <p className={styles["figure"]}>{figure}</p>
      {told.filter(Boolean).map((line) => (
        <p key={line} className={styles["hint"]}>
          {line}
        </p>
      ))}
    </section>
  );
}

function Frameworks({ statistics }: { statistics: Answer }) {
  const name = useFrameworkName();
  return (
    <Section title="Health by framework">
      <FigureTable
        label="Health by framework"
        columns={["Framework", "Health", "Alerts", "Acknowledged", "Resolved", "False alarms", "Kept quiet"]}
      >
        {statistics.frameworks.map((framework) => (
          <tr key={framework.framework_id}>
            <th scope="row">{name(framework.framework_id)}</th>
            <td>
              <Score health={framework.health} />
            </td>
            <td>{count(framework.alerts)}</td>
            <td>{share(framework.rates.acknowledged)}</td>
            <td>{share(framework.rates.resolved)}</td>
            <td>{share(framework.rates.false_positive)}</td>
            <td>{share(framework.rates.suppression_effectiveness)}</td>
          </tr>
        ))}
      </FigureTable>
      <p className={styles["hint"]}>
        25 points each for more than 80 % acknowledged, 85 % resolved, 70 % of repeated triggers kept quiet, and fewer
        than 10 % false alarms; what nothing is known of is left out.
      </p>
    </Section>
  );
}

function Score({ health }: { health: Figures["health"] }) {
  if (health.score === null) return <>–</>;
  const score = Math.round(health.score);
  return (
    <span className={own["score"]}>
      <meter min={0} max={100} low={51} high={81} optimum={100} value={score} aria-label={`Health ${score} of 100`} />
      {score}
    </span>
  );
}

function Noisiest({ statistics }: { statistics: Answer }) {
  const name = useFrameworkName();
  if (statistics.noisiest.length === 0) return null;
  return (
    <Section title="Rules that fire most">
      <FigureTable label="Rules that fire most" columns={["Rule", "Framework", "Alerts", "Of all"]}>
        {statistics.noisiest.map((rule) => (
          <tr key={rule.rule_id}>
            <th scope="row">
              <Link to="/rules/$id" params={{ id: rule.rule_id }}>
                {rule.rule_name || "a rule that is gone"}
              </Link>
            </th>
            <td>{rule.framework_id ? name(rule.framework_id) : "–"}</td>
            <td>{count(rule.alerts)}</td>
            <td>{share(rule.share)}</td>
          </tr>
        ))}
      </FigureTable>
    </Section>
  );
}

const ofSeverity = ({ name, values }: Series["series"][number]): Line => ({ name, values, colour: `--${name}-mark` });

/** Average and 95th percentile of one of the times; the latter dashed. */
function ofTimes({ series }: Series, what: "acknowledge" | "resolve"): Line[] {
  const colour = what === "acknowledge" ? "--accent" : "--good-mark";
  const values = (name: string) => series.find((one) => one.name === name)?.values ?? [];
  return [
    { name: `${what}, average`, values: values("avg"), colour },
    { name: `${what}, 95 % within`, values: values("p95"), colour, dashed: true },
  ];
}
