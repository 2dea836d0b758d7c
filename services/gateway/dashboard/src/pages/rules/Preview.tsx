import { useDeferredValue, useMemo, useState } from "react";
import { Problem, Select } from "../../design";
import { duration } from "../../design/time";
import styles from "../../forms/forms.module.css";
import { said } from "../../forms/length";
import { Chart } from "./Chart";
import { gapped, type Point, preview, type Span } from "./firing";
import { learns, type RuleDraft } from "./form";
import own from "./rules.module.css";
import type { Decision } from "./sentence";
import { RANGES, useObserved, useTried } from "./usePreview";

/** What the rule would have made of the metric's recent values. */
export function Preview(props: {
  framework_id: string;
  decision: Decision;
  draft: RuleDraft;
  onLimit: (limit: number) => void;
}) {
  const { framework_id, decision, draft, onLimit } = props;
  const learning = learns(draft.alert_type);
  const [hours, setHours] = useState<string>("1");
  const [chosen, setChosen] = useState(0);
  const metric = useDeferredValue(decision.metric);
  const { data, error, isFetching } = useObserved(framework_id, metric, hours);
  const series = data?.series[chosen] ?? data?.series[0];
  const points = useMemo<Point[]>(
    () => (series?.points ?? []).map((point) => ({ ...point, at: Date.parse(point.at) / 1000 })),
    [series],
  );
  const step = data?.step_seconds ?? 0;
  const tried = useTried(draft, hours);
  const here = useMemo(() => preview(decision, points, step), [decision, points, step]);
  const spans = useMemo<Span[]>(() => {
    if (!learning) return here.spans;
    const firings = tried.data?.series.find(({ labels }) => named(labels) === named(series?.labels ?? {}))?.firings;
    return (firings ?? []).map(({ began_at, ended_at }) => ({
      from: Date.parse(began_at) / 1000,
      to: ended_at === null ? null : Date.parse(ended_at) / 1000,
    }));
  }, [learning, here, tried.data, series]);
  const compared = useMemo(() => (learning ? points.map(({ last }) => last) : here.compared), [learning, points, here]);
  const times = useMemo(() => points.map(({ at }) => at), [points]);
  const drawn = useMemo(() => gapped(times, compared, step), [times, compared, step]);
  const many = (data?.series.length ?? 0) > 1;

  return (
    <div className={styles["rows"]}>
      <div className={styles["filters"]}>
        <Select label="Looking back" value={hours} options={RANGES} onChange={setHours} />
        {many ? (
          <Select
            label="Series"
            value={String(chosen)}
            options={(data?.series ?? []).map(({ labels }, index) => ({ value: String(index), label: named(labels) }))}
            onChange={(value) => setChosen(Number(value))}
          />
        ) : null}
      </div>
      {error && data === undefined ? (
        <Problem error={error} />
      ) : points.length === 0 ? (
        <p className={own["none"]}>
          {decision.metric.trim() === ""
            ? "Name a metric to see its recent values here."
            : isFetching
              ? "Looking for its values…"
              : "Nothing was observed by this name in that time."}
        </p>
      ) : (
        <>
          <Chart
            times={drawn.times}
            values={drawn.values}
            spans={spans}
            limit={decision.limit}
            clear={decision.condition === "equals" ? null : decision.clear_value}
            onLimit={onLimit}
            label={`${decision.metric} over ${said(Number(hours) * 3600)}`}
          />
          <p aria-live="polite">
            {learning && tried.data === undefined ? "Looking back, value by value…" : outcome(spans, times)}
          </p>
          {learning && tried.error ? <Problem error={tried.error} /> : null}
          <p className={styles["hint"]}>
            {learning
              ? "Decided as the processor decides, from what was known at each moment."
              : `An approximation over spans of ${said(Math.max(1, Math.round(step)))}; what counts is what the processor decides on each value.`}{" "}
            {series?.cut ? "The oldest values are left out." : ""}
          </p>
        </>
      )}
    </div>
  );
}

function named(labels: Readonly<Record<string, string>>): string {
  const text = Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
  return text === "" ? "without labels" : text;
}

function outcome(spans: readonly Span[], times: readonly number[]): string {
  if (spans.length === 0) return "It would not have fired in this time.";
  const end = times.at(-1) ?? 0;
  const seconds = spans.reduce((sum, { from: began, to }) => sum + ((to ?? end) - began), 0);
  const still = spans.at(-1)?.to === null ? " It would be firing now." : "";
  const count = spans.length === 1 ? "once" : `${spans.length} times`;
  return `It would have fired ${count}, for ${duration(seconds * 1000)} in all.${still}`;
}
