import { said } from "../../forms/length";
import type { Rule } from "../../rest/types";

export type Condition = "above" | "below" | "equals" | "changes_by";
export type Aggregation = "avg" | "min" | "max" | "sum" | "count" | "last";

/** What of a rule decides. Lengths in seconds; `limit` null: not filled in yet. */
export interface Decision {
  metric: string;
  condition: Condition;
  /** The threshold, or for changes_by the percentage. */
  limit: number | null;
  window_seconds: number | null;
  aggregation: Aggregation | null;
  for_seconds: number;
  clear_value: number | null;
  /** What learns says more; absent: the condition alone decides. */
  alert_type?: string;
  horizon_seconds?: number | null;
  probability?: number | null;
}

const OF_WINDOW: Record<Aggregation, (metric: string, window: string) => string> = {
  avg: (metric, window) => `the average of ${metric} over ${window}`,
  min: (metric, window) => `the lowest ${metric} in ${window}`,
  max: (metric, window) => `the highest ${metric} in ${window}`,
  sum: (metric, window) => `the sum of ${metric} over ${window}`,
  count: (metric, window) => `the number of values of ${metric} in ${window}`,
  last: (metric, window) => `the last ${metric} of ${window}`,
};

const COMPARED: Record<Exclude<Condition, "changes_by">, string> = {
  above: "is above",
  below: "is below",
  equals: "is exactly",
};

/** What a rule does, as one says it: "Warning when the average of x over 5 min is above 500; clears at 400 or below." */
export function sentence(rule: Decision & { severity: string; suppression_seconds: number }): string {
  const first = `${rule.severity.slice(0, 1).toUpperCase()}${rule.severity.slice(1)}`;
  const hold = rule.for_seconds > 0 ? ` for ${said(rule.for_seconds)}` : "";
  return `${first} when ${condition(rule)}${hold}; ${clearing(rule)}. ${repeating(rule.suppression_seconds)}`;
}

/** The condition alone. */
export function condition(rule: Decision): string {
  const metric = rule.metric.trim() || "the metric";
  if (rule.alert_type === "anomaly") return `${metric} ${unusual(rule)}`;
  if (rule.alert_type === "forecast") {
    const chance = `${number(Math.round((rule.probability ?? 0.8) * 1e6) / 1e4)} %`;
    const limit = rule.limit === null ? "…" : number(rule.limit);
    return `${metric} will be ${rule.condition} ${limit} within ${said(rule.horizon_seconds ?? 14_400)}, with a probability of ${chance} or more`;
  }
  if (rule.condition === "changes_by") {
    const span = rule.window_seconds === null ? "from one value to the next" : `within ${said(rule.window_seconds)}`;
    return `${metric} changes by ${rule.limit === null ? "…" : `${number(rule.limit)} %`} or more ${span}`;
  }
  const what =
    rule.window_seconds === null ? metric : OF_WINDOW[rule.aggregation ?? "avg"](metric, said(rule.window_seconds));
  return `${what} ${COMPARED[rule.condition]} ${rule.limit === null ? "…" : number(rule.limit)}`;
}

function unusual({ condition, limit }: Decision): string {
  if (condition !== "above" && condition !== "below") return "is unusual for this hour";
  const side = condition === "above" ? "high" : "low";
  return `is unusually ${side} for this hour${limit === null ? "" : `, and ${condition} ${number(limit)}`}`;
}

function clearing(rule: Decision): string {
  if (rule.alert_type === "anomaly") return "clears once three values in a row are usual";
  if (rule.alert_type === "forecast") return "clears once that is expected no more";
  const { limit, clear_value: clear } = rule;
  switch (rule.condition) {
    case "equals":
      return "clears as soon as it is anything else";
    case "below":
      return `clears at ${shown(clear ?? limit)} or above`;
    case "above":
      return `clears at ${shown(clear ?? limit)} or below`;
    case "changes_by":
      return clear === null ? `clears below ${shown(limit)} %` : `clears at ${shown(clear)} % or less`;
  }
}

function repeating(seconds: number): string {
  return seconds === 0
    ? "Every trigger of an alert notifies."
    : `The same alert notifies at most once in ${said(seconds)}, unless it gets worse.`;
}

const shown = (value: number | null): string => (value === null ? "…" : number(value));

/** A number as people write it: 12,500 and 0.25, and no more digits than it has. */
export function number(value: number): string {
  if (value !== 0 && (Math.abs(value) >= 1e15 || Math.abs(value) < 1e-6)) return String(value);
  return value.toLocaleString("en", { maximumFractionDigits: 12 });
}

/** What verdicts have made of an anomaly rule's bar; nothing of a critical one, which they do not move. */
export function raisedOf({ raised, sensitivity, severity }: Pick<Rule, "raised" | "sensitivity" | "severity">): string {
  if (raised === null || severity === "critical") return "";
  const usual = 1 - (sensitivity ?? 0.5);
  return `It needs a score of ${(usual + raised.by).toFixed(2)} instead of ${usual.toFixed(2)} after ${raised.false_alarms} false alarms of ${raised.judged}. Another sensitivity puts it back.`;
}
