import { labelsOf, type Pair, pairsOf } from "../../forms/labels";
import { type Length, lengthOf, numberOf, secondsOf } from "../../forms/length";
import type { Faults } from "../../forms/problems";
import type { Aggregation, Condition, Decision } from "./sentence";

export type AlertType = "threshold" | "performance" | "milestone" | "anomaly" | "forecast";
export type Severity = "info" | "warning" | "error" | "critical";

/** What of a rule is written: the body of POST /rules. */
export interface RuleDraft {
  framework_id: string;
  name: string;
  alert_type: AlertType;
  metric: string;
  condition: Condition;
  threshold_value: number | null;
  change_percentage: number | null;
  window_seconds: number | null;
  aggregation: Aggregation | null;
  for_seconds: number;
  clear_value: number | null;
  /** Of anomaly rules only. */
  sensitivity: number | null;
  heeds_verdicts: boolean | null;
  /** Of forecast rules only, as the probability. */
  horizon_seconds: number | null;
  probability: number | null;
  suppression_seconds: number;
  severity: Severity;
  labels: Record<string, string>;
  channel_ids: string[] | null;
  enabled: boolean;
}

/** The rule while one edits it: numbers as they are typed. */
export interface RuleForm {
  framework_id: string;
  name: string;
  alert_type: AlertType;
  metric: string;
  condition: Condition;
  /** The threshold, or for changes_by the percentage. */
  limit: string;
  windowed: boolean;
  window: Length;
  aggregation: Aggregation;
  hold: Length;
  clear: string;
  /** Of anomaly rules: from 0 to 1, as typed. */
  sensitivity: string;
  heeds: boolean;
  /** Of forecast rules. */
  horizon: Length;
  /** In percent. */
  probability: string;
  quiet: Length;
  severity: Severity;
  labels: Pair[];
  /** Which channels: those whose matchers fit, or these. */
  chosen: boolean;
  channel_ids: string[];
  enabled: boolean;
}

export function emptyForm(framework_id: string): RuleForm {
  return {
    framework_id,
    name: "",
    alert_type: "threshold",
    metric: "",
    condition: "above",
    limit: "",
    windowed: false,
    window: { amount: "5", unit: "min" },
    aggregation: "avg",
    hold: { amount: "0", unit: "min" },
    clear: "",
    sensitivity: "0.5",
    heeds: true,
    horizon: { amount: "4", unit: "h" },
    probability: "80",
    quiet: { amount: "5", unit: "min" },
    severity: "warning",
    labels: [],
    chosen: false,
    channel_ids: [],
    enabled: true,
  };
}

export function formOf(rule: RuleDraft): RuleForm {
  const limit = rule.condition === "changes_by" ? rule.change_percentage : rule.threshold_value;
  return {
    framework_id: rule.framework_id,
    name: rule.name,
    alert_type: rule.alert_type,
    metric: rule.metric,
    condition: rule.condition,
    limit: limit === null ? "" : String(limit),
    windowed: rule.window_seconds !== null,
    window: lengthOf(rule.window_seconds ?? 300),
    aggregation: rule.aggregation ?? "avg",
    hold: lengthOf(rule.for_seconds),
    clear: rule.clear_value === null ? "" : String(rule.clear_value),
    sensitivity: String(rule.sensitivity ?? 0.5),
    heeds: rule.heeds_verdicts ?? true,
    horizon: lengthOf(rule.horizon_seconds ?? 14_400),
    probability: String(Math.round((rule.probability ?? 0.8) * 1e6) / 1e4),
    quiet: lengthOf(rule.suppression_seconds),
    severity: rule.severity,
    labels: pairsOf(rule.labels),
    chosen: rule.channel_ids !== null,
    channel_ids: rule.channel_ids ?? [],
    enabled: rule.enabled,
  };
}

const DAY = 86_400;

/** The body to send, and what is wrong with the form as far as one can tell here; the server has the last word. */
export function draftOf(form: RuleForm): { draft: RuleDraft; faults: Faults } {
  const faults: Record<string, string> = {};
  const anomaly = form.alert_type === "anomaly";
  const forecast = form.alert_type === "forecast";
  const learns = anomaly || forecast;
  const relative = !anomaly && form.condition === "changes_by";
  const limitName = relative ? "change_percentage" : "threshold_value";

  const eitherSide = anomaly && form.condition === "changes_by";
  const limit = eitherSide ? null : numberOf(form.limit);
  if (anomaly && (eitherSide || form.limit.trim() === "")) {
    // Whatever is unusual counts.
  } else if (limit === null) {
    faults[limitName] = form.limit.trim() === "" ? "Say at which value." : "Is no number.";
  } else if (relative && limit <= 0) {
    faults[limitName] = "Must be above 0.";
  }

  const window = form.windowed && !learns ? secondsOf(form.window) : null;
  if (form.windowed && !learns && (window === null || window < 1 || window > DAY)) {
    faults["window_seconds"] = "From 1 second to 1 day.";
  }
  const hold = secondsOf(form.hold);
  if (hold === null || hold > DAY) faults["for_seconds"] = "From 0 to 1 day.";
  const quiet = secondsOf(form.quiet);
  if (quiet === null || quiet > 7 * DAY) faults["suppression_seconds"] = "From 0 to 7 days.";

  const typedClear = form.condition === "equals" || learns ? "" : form.clear.trim();
  const clear = typedClear === "" ? null : numberOf(typedClear);
  if (typedClear !== "" && clear === null) faults["clear_value"] = "Is no number.";
  else if (clear !== null && limit !== null) {
    const wrong = clearFault(form.condition, clear, limit);
    if (wrong !== null) faults["clear_value"] = wrong;
  }

  const sensitivity = anomaly ? numberOf(form.sensitivity) : null;
  if (anomaly && (sensitivity === null || sensitivity <= 0 || sensitivity >= 1))
    faults["sensitivity"] = "Above 0 and below 1.";
  const horizon = forecast ? secondsOf(form.horizon) : null;
  if (forecast && (horizon === null || horizon < 60 || horizon > 7 * DAY))
    faults["horizon_seconds"] = "From 1 minute to 7 days.";
  const percent = forecast ? numberOf(form.probability) : null;
  if (forecast && (percent === null || percent < 50 || percent >= 100)) faults["probability"] = "From 50 to below 100.";

  if (form.framework_id === "") faults["framework_id"] = "Choose one.";
  if (form.name.trim() === "") faults["name"] = "Give it a name: alerts carry it.";
  if (form.metric.trim() === "") faults["metric"] = "Say which metric.";
  if (form.chosen && form.channel_ids.length === 0)
    faults["channel_ids"] = "Choose one at least, or let matchers decide.";
  const { labels, fault } = labelsOf(form.labels);
  if (fault !== null) faults["labels"] = fault;

  const draft: RuleDraft = {
    framework_id: form.framework_id,
    name: form.name.trim(),
    alert_type: form.alert_type,
    metric: form.metric.trim(),
    condition: form.condition,
    threshold_value: relative ? null : limit,
    change_percentage: relative ? limit : null,
    window_seconds: window,
    aggregation: window === null || relative ? null : form.aggregation,
    for_seconds: forecast ? 0 : (hold ?? 0),
    clear_value: clear,
    sensitivity,
    heeds_verdicts: anomaly ? form.heeds : null,
    horizon_seconds: horizon,
    probability: percent === null ? null : percent / 100,
    suppression_seconds: quiet ?? 300,
    severity: form.severity,
    labels,
    channel_ids: form.chosen ? form.channel_ids : null,
    enabled: form.enabled,
  };
  return { draft, faults };
}

function clearFault(condition: Condition, clear: number, limit: number): string | null {
  if (condition === "above" && clear > limit) return `Must be ${limit} or less, or it would clear while it fires.`;
  if (condition === "below" && clear < limit) return `Must be ${limit} or more, or it would clear while it fires.`;
  if (condition === "changes_by" && (clear < 0 || clear > limit)) return `Must be from 0 to ${limit}.`;
  return null;
}

/** The fields of a form that has come to differ: the body of PATCH /rules/{id}. */
export function changesOf(before: RuleDraft, after: RuleDraft): Partial<RuleDraft> {
  const changed = CHANGEABLE.filter((name) => !same(before[name], after[name]));
  // An average that the server put there for changes_by is as good as none.
  const meant = changed.filter(
    (name) => !(name === "aggregation" && after.condition === "changes_by" && before.condition === "changes_by"),
  );
  return Object.fromEntries(meant.map((name) => [name, after[name]])) as Partial<RuleDraft>;
}

/** What may be changed of a rule. */
export const CHANGEABLE: readonly (keyof RuleDraft)[] = [
  "name",
  "alert_type",
  "metric",
  "condition",
  "threshold_value",
  "change_percentage",
  "window_seconds",
  "aggregation",
  "for_seconds",
  "clear_value",
  "sensitivity",
  "heeds_verdicts",
  "horizon_seconds",
  "probability",
  "suppression_seconds",
  "severity",
  "labels",
  "channel_ids",
  "enabled",
];

function same(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other);
}

function canonical(value: unknown): string {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    return JSON.stringify(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
  }
  return JSON.stringify(value);
}

/** What decides, of a draft. */
export function decisionOf(draft: RuleDraft): Decision {
  const relative = draft.alert_type !== "anomaly" && draft.condition === "changes_by";
  return { ...draft, limit: relative ? draft.change_percentage : draft.threshold_value };
}

/** What somebody else changed since the form was filled, by the fields' names. */
export function changedMeanwhile(opened: RuleDraft, now: RuleDraft): string[] {
  return Object.keys(changesOf(opened, now)).map((name) => WORDS[name] ?? name);
}

const WORDS: Record<string, string> = {
  alert_type: "type",
  threshold_value: "threshold",
  change_percentage: "percentage",
  window_seconds: "window",
  for_seconds: "hold",
  clear_value: "clear value",
  horizon_seconds: "horizon",
  suppression_seconds: "quiet time",
  channel_ids: "channels",
};

/** Whether a type learns a series, so that only the server can say what it would have made of the past. */
export function learns(type: AlertType): boolean {
  return type === "anomaly" || type === "forecast";
}

/** What goes with another type: a condition that it has. */
export function ofType(type: AlertType, condition: Condition): Pick<RuleForm, "alert_type" | "condition"> {
  const sided = condition === "above" || condition === "below";
  if (type === "anomaly") return { alert_type: type, condition: sided ? condition : "changes_by" };
  if (type === "forecast") return { alert_type: type, condition: sided ? condition : "above" };
  return { alert_type: type, condition };
}
