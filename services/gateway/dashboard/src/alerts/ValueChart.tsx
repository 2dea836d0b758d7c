import type { Alert, TimelineEntry } from "@convex-alerts/client";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useDark } from "../app/theme";
import { classes, moment, Section } from "../design";
import legend from "../design/Legend.module.css";
import { axis, colour, timesOf } from "../design/plot";
import { number } from "../live/words";
import { answered } from "../rest/answered";
import { useApi } from "../session/useApi";
import { bandsOf, marksOf, ownLabels, periodOf, seriesOf, usualAt } from "./episodes";
import { useTimeline } from "./Timeline";
import styles from "./ValueChart.module.css";

const HEIGHT = 220;
const POINTS = 400;
/** Those that may have all of the alert's own labels, and more. */
const SERIES = 20;

/** The metric around the episode: its values, the threshold, when it fired and who did what. */
export function ValueChart({ alert }: { alert: Alert }) {
  const api = useApi();
  const { rule_id: ruleId, framework_id: framework, labels } = alert;
  const rule = useQuery({
    queryKey: ["rules", ruleId],
    enabled: ruleId !== null,
    queryFn: () => answered(api.GET("/api/v1/rules/{rule_id}", { params: { path: { rule_id: ruleId ?? "" } } })),
  });
  const metric = rule.data?.metric ?? null;
  const ended = alert.resolved_at;
  const observed = useQuery({
    queryKey: ["observations", framework, metric, labels, alert.triggered_at, ended],
    enabled: Boolean(metric),
    refetchInterval: ended === null ? 15_000 : false,
    placeholderData: (before) => before,
    queryFn: () => {
      const [from, to] = periodOf(alert, Date.now());
      return answered(
        api.GET("/api/v1/observations", {
          params: {
            query: {
              framework_id: framework,
              metric: metric ?? "",
              label: ownLabels(labels, rule.data?.labels ?? {})
                .slice(0, 64)
                .map(([name, value]) => `${name}=${value}`),
              from: new Date(from).toISOString(),
              to: new Date(to).toISOString(),
              points: POINTS,
              limit: SERIES,
            },
          },
        }),
      );
    },
  });
  const series = observed.data && seriesOf(observed.data.series, labels);
  const usual = useQuery({
    queryKey: ["rules", ruleId, "backtest", labels, alert.triggered_at, ended],
    enabled: series !== undefined && rule.data?.alert_type === "anomaly",
    staleTime: 60_000,
    retry: false,
    queryFn: () => {
      const [from, to] = periodOf(alert, Date.now());
      return answered(
        api.POST("/api/v1/rules/{rule_id}/backtest", {
          params: { path: { rule_id: ruleId ?? "" } },
          body: { labels: series?.labels ?? {}, from: new Date(from).toISOString(), to: new Date(to).toISOString() },
        }),
      );
    },
  });
  const { data: timeline } = useTimeline(alert.id);
  const points = series?.points;
  if (!metric || points === undefined || points.length < 2) {
    if (!ruleId || observed.isSuccess || rule.isError) {
      return (
        <p className={styles["none"]}>No observations are kept for this alert: what it says was sent in as it is.</p>
      );
    }
    return <div className={styles["space"]} aria-hidden="true" />;
  }
  return (
    <Section title={metric}>
      <Chart
        alert={alert}
        points={points}
        usual={(usual.data && seriesOf(usual.data.series, labels)?.band) ?? NONE}
        timeline={timeline ?? []}
      />
    </Section>
  );
}

interface Usual {
  at: string;
  low: number;
  high: number;
}

const NONE: readonly Usual[] = [];

interface Point {
  at: string;
  min: number;
  max: number;
  avg: number;
}

function Chart({
  alert,
  points,
  usual,
  timeline,
}: {
  alert: Alert;
  points: readonly Point[];
  /** The band of what was usual; empty where no rule learns it. */
  usual: readonly Usual[];
  timeline: readonly TimelineEntry[];
}) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const dark = useDark();
  const data = useMemo<uPlot.AlignedData>(
    () => [
      points.map(({ at }) => Date.parse(at) / 1000),
      points.map(({ avg }) => avg),
      points.map(({ min }) => min),
      points.map(({ max }) => max),
      ...usualAt(points, usual),
    ],
    [points, usual],
  );
  const told = useRef({ alert, timeline, now: Date.now() });
  told.current = { alert, timeline, now: Date.now() };

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read anew where it becomes dark or light
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const made = new uPlot(
      options(element, () => told.current),
      data,
      element,
    );
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [dark]);
  useEffect(() => plot.current?.setData(data), [data]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is drawn beside the values changed
  useEffect(() => plot.current?.redraw(false), [alert.status, alert.threshold_value, timeline]);

  const values = points.map(({ avg }) => avg);
  const first = points[0]?.at ?? alert.triggered_at;
  const last = points.at(-1)?.at ?? alert.last_seen_at;
  return (
    <figure>
      <div
        ref={holder}
        className={styles["chart"]}
        role="img"
        aria-label={`From ${moment(first)} to ${moment(last)}: between ${number(Math.min(...values))} and ${number(Math.max(...values))}, threshold ${number(alert.threshold_value)}.`}
      />
      <figcaption className={classes(legend["legend"], styles["legend"])}>
        <span className={styles["line"]}>value</span>
        {alert.threshold_value === null ? null : <span className={styles["threshold"]}>threshold</span>}
        {usual.length === 0 ? null : <span className={styles["usual"]}>usual</span>}
        <span className={styles["band"]}>firing</span>
        <span className={styles["mark"]}>acknowledged or resolved</span>
      </figcaption>
    </figure>
  );
}

function options(
  element: HTMLElement,
  told: () => { alert: Alert; timeline: readonly TimelineEntry[]; now: number },
): uPlot.Options {
  const [text, accent, critical, soft] = ["--muted", "--accent", "--critical-mark", "--critical-soft"].map(colour);
  const plain = axis();
  const none = { show: false };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: none,
    cursor: { drag: { x: false, y: false } },
    scales: {
      y: {
        range: (_, low, high) => {
          const threshold = told().alert.threshold_value;
          const least = threshold === null ? low : Math.min(low, threshold);
          const most = threshold === null ? high : Math.max(high, threshold);
          const room = (most - least || Math.abs(most) || 1) * 0.08;
          return [least - room, most + room];
        },
      },
    },
    axes: [
      { ...plain, values: timesOf },
      { ...plain, size: 56, values: (_, ticks) => ticks.map(number) },
    ],
    series: [
      {},
      { stroke: accent ?? "", width: 1.5, points: none },
      { stroke: "transparent", points: none },
      { stroke: "transparent", points: none },
      { stroke: "transparent", points: none },
      { stroke: "transparent", points: none },
    ],
    bands: [
      { series: [3, 2], fill: "rgb(99 102 241 / 15%)" },
      { series: [5, 4], fill: "rgb(34 197 94 / 14%)" },
    ],
    hooks: {
      drawClear: [
        (chart) => {
          const { alert, timeline, now } = told();
          const { left, top, width, height } = chart.bbox;
          const { ctx } = chart;
          ctx.save();
          ctx.beginPath();
          ctx.rect(left, top, width, height);
          ctx.clip();
          ctx.fillStyle = soft ?? "";
          for (const [from, to] of bandsOf(alert, timeline, now)) {
            const start = chart.valToPos(from / 1000, "x", true);
            ctx.fillRect(start, top, Math.max(2, chart.valToPos(to / 1000, "x", true) - start), height);
          }
          ctx.restore();
        },
      ],
      draw: [
        (chart) => {
          const { alert, timeline } = told();
          const { left, top, width, height } = chart.bbox;
          const { ctx } = chart;
          ctx.save();
          ctx.beginPath();
          ctx.rect(left, top, width, height);
          ctx.clip();
          ctx.lineWidth = devicePixelRatio * 1.5;
          ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
          if (alert.threshold_value !== null) {
            const y = chart.valToPos(alert.threshold_value, "y", true);
            ctx.strokeStyle = critical ?? "";
            ctx.beginPath();
            ctx.moveTo(left, y);
            ctx.lineTo(left + width, y);
            ctx.stroke();
          }
          ctx.strokeStyle = text ?? "";
          ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
          for (const at of marksOf(alert, timeline)) {
            const x = chart.valToPos(at / 1000, "x", true);
            ctx.beginPath();
            ctx.moveTo(x, top);
            ctx.lineTo(x, top + height);
            ctx.stroke();
          }
          ctx.restore();
        },
      ],
    },
  };
}
