import { duration } from "../../design";
import type { Pattern, PatternPreview } from "../../rest/types";
import type { BarsProps } from "./Bars";

export const KINDS: Record<Pattern["kind"], string> = {
  seasonal: "At its hour",
  cyclical: "In a cycle",
  escalating: "More and more",
  correlated: "Together",
  triggered_by: "One after the other",
  noisy: "Noise",
};

const REASONS: Record<string, string> = {
  false_alarms: "people call it a false alarm",
  flapping: "it comes and goes",
  ends_by_itself: "it ends by itself within 15 minutes",
  never_acknowledged: "nobody acknowledges it",
};

const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const number = (value: unknown): number => (typeof value === "number" ? value : 0);
const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(number) : []);
const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" ? (value as Record<string, unknown>) : {};
const length = (seconds: unknown): string => duration(number(seconds) * 1000);
const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** Nine for 32,400: the time of a day or week as people write it. */
export function timeOf(seconds: number, period: number): string {
  const minutes = Math.round(seconds / 60) % 1440;
  const clock = `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  return period > 86_400 ? `${WEEKDAYS[Math.floor(seconds / 86_400) % 7]} ${clock}` : clock;
}

/** What was found, in a sentence. */
export function saidOf({ kind, evidence, lead_rule_name }: Pattern): string {
  const other = lead_rule_name ?? "another rule";
  switch (kind) {
    case "seasonal": {
      const start = number(evidence["start_seconds"]);
      const period = number(evidence["period_seconds"]);
      const end = start + number(evidence["width_seconds"]);
      const span = `${timeOf(start, period)} and ${timeOf(end, period)}`;
      return `${percent(number(evidence["share"]))} begin between ${span}, ${number(evidence["lift"])} times as many as without a rhythm.`;
    }
    case "cyclical":
      return `It comes back every ${length(evidence["period_seconds"])}: ${number(evidence["kept"])} of ${number(evidence["of"])} keep to that.`;
    case "escalating":
      return evidence["what"] === "rate"
        ? `From ${number(evidence["before"]).toFixed(1)} a day to ${number(evidence["after"]).toFixed(1)} in ${number(evidence["days"])} days.`
        : `Its alerts became worse in ${number(evidence["days"])} days.`;
    case "triggered_by": {
      const lag = length(record(evidence["lag_seconds"])["p50"]);
      return `${number(evidence["together"])} of ${number(evidence["of_this"])} follow ${other} within ${length(evidence["window_seconds"])}, usually after ${lag}; by chance ${number(evidence["expected"]).toFixed(1)} would.`;
    }
    case "correlated":
      return `${number(evidence["together"])} of ${number(evidence["of_this"])} are within ${length(evidence["window_seconds"])} of one of ${other}; by chance ${number(evidence["expected"]).toFixed(1)} would be.`;
    case "noisy": {
      const reasons = Object.entries(record(evidence["reasons"])).map(([reason, told]) => {
        const { count, of } = record(told);
        return `${REASONS[reason] ?? reason} (${number(count)} of ${number(of)})`;
      });
      return `${reasons.join(", ")}.`.replace(/^./, (first) => first.toUpperCase());
    }
  }
}

/** The evidence as a histogram. */
export function barsOf({ kind, evidence }: Pattern): BarsProps {
  switch (kind) {
    case "seasonal":
      return number(evidence["period_seconds"]) > 86_400
        ? { label: "by weekday", counts: numbers(evidence["by_weekday"]), first: "Mon", last: "Sun" }
        : { label: "by hour of the day", counts: numbers(evidence["by_hour"]), first: "0", last: "23" };
    case "cyclical": {
      const counts = numbers(evidence["by_interval"]);
      const last = length(number(evidence["interval_seconds"]) * counts.length);
      return { label: "by time since the one before", counts, first: "0", last };
    }
    case "correlated":
    case "triggered_by": {
      const since = number(evidence["lag_from_seconds"]);
      const first = since < 0 ? `−${length(-since)}` : "0";
      const last = length(evidence["window_seconds"]);
      return { label: "by time after the other", counts: numbers(evidence["by_lag"]), first, last };
    }
    default:
      return { label: "by week", counts: numbers(evidence["by_week"]), first: "8 weeks ago", last: "now" };
  }
}

/** What is to be changed of the rule; empty where nothing is. */
export function changeOf(change: Pattern["recommendation"]["change"]): string {
  const told = Object.entries(change).map(([field, one]) => {
    const shown = (value: unknown) => (field.endsWith("_seconds") ? length(value) : String(value));
    return `${field.replace(/_seconds$/, "").replace("for", "hold")}: ${shown(one.from)} → ${shown(one.to)}`;
  });
  return told.join(", ");
}

/** What the change would have made of the past, in a sentence or two. */
export function previewOf({ since, before, after }: Omit<PatternPreview, "change">, now = Date.now()): string {
  const span = duration(now - Date.parse(since));
  return `In the last ${span} it fired ${before.fired} times and told people ${before.notified} times; it would have fired ${after.fired} times and told them ${after.notified} times. Of ${before.acknowledged} that somebody acknowledged ${after.acknowledged} would be left.`;
}

/** What that was worked out from, and what the other source says. */
export function basisOf({ basis, why, series, more, on_record }: PatternPreview): string {
  if (basis === "alerts") return `Counted on the alerts on record, since ${why ?? "nothing else is kept"}.`;
  const of = more ? `the ${series} series observed last` : `${series} series`;
  return `Decided anew on the observations of ${of}. By the alerts on record of eight weeks: told ${on_record.after.notified} times instead of ${on_record.before.notified}.`;
}
