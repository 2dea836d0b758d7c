import type { Decision } from "./sentence";

/** What was observed in a span of time: `at` (seconds) is its start. Where it holds one value, all four are that. */
export interface Point {
  at: number;
  min: number;
  max: number;
  avg: number;
  last: number;
  count: number;
}

/** From when to when a rule would have fired; `to` null: it would still. */
export interface Span {
  from: number;
  to: number | null;
}

/** The values that were held against the limit, for the chart, and where that would have fired. */
export interface Preview {
  compared: (number | null)[];
  spans: Span[];
}

/**
 * What a rule would have made of a series, decided as the processor decides, over spans instead of single values.
 *
 * It is an approximation: in a span of several values a rule fires if any of them breaches, or with a hold as long as
 * a span (`step`, in seconds) only if all do; a shorter hold counts as none, and a window's edges fall on those of the
 * spans. Over spans of one value it is exact, but for the moment at which a hold ends between two values.
 */
export function preview(decision: Decision, points: readonly Point[], step = 0): Preview {
  const rule = decision.for_seconds >= step ? decision : { ...decision, for_seconds: 0 };
  const compared: (number | null)[] = [];
  const spans: Span[] = [];
  let firing: Span | null = null;
  let since: number | null = null;
  points.forEach((point, index) => {
    const range = comparedRange(rule, points, index);
    compared.push(range === null ? null : shownOf(rule, range));
    if (range === null || rule.limit === null) return;
    if (breaching(rule, range)) {
      since ??= point.at;
      if (firing === null && point.at - since >= rule.for_seconds) {
        firing = { from: point.at, to: null };
        spans.push(firing);
      }
      return;
    }
    since = null;
    if (firing !== null && clearing(rule, range)) {
      firing.to = point.at;
      firing = null;
    }
  });
  return { compared, spans };
}

/** Between which values the compared one lies; both are the same where it is one. */
interface Range {
  low: number;
  high: number;
  last: number;
}

function comparedRange(rule: Decision, points: readonly Point[], index: number): Range | null {
  const point = points[index];
  if (point === undefined) return null;
  if (rule.condition === "changes_by") {
    const reference =
      rule.window_seconds === null ? points[index - 1]?.last : windowOf(points, index, rule.window_seconds)[0]?.avg;
    const alone = rule.window_seconds !== null && windowOf(points, index, rule.window_seconds).length < 2;
    if (reference === undefined || alone) return null;
    const changes = [point.min, point.max, point.last].map((value) => change(reference, value));
    return { low: Math.min(...changes), high: Math.max(...changes), last: changes[2] ?? 0 };
  }
  if (rule.window_seconds === null) return { low: point.min, high: point.max, last: point.last };
  const one = aggregate(rule.aggregation ?? "avg", windowOf(points, index, rule.window_seconds));
  return { low: one, high: one, last: one };
}

function change(reference: number, value: number): number {
  if (reference === 0) return value === 0 ? 0 : Number.POSITIVE_INFINITY;
  return (Math.abs(value - reference) / Math.abs(reference)) * 100;
}

function windowOf(points: readonly Point[], index: number, seconds: number): Point[] {
  const end = points[index]?.at ?? 0;
  let start = index;
  while (start > 0 && (points[start - 1]?.at ?? 0) > end - seconds) start -= 1;
  return points.slice(start, index + 1);
}

function aggregate(how: NonNullable<Decision["aggregation"]>, window: readonly Point[]): number {
  const sum = window.reduce((total, { avg, count }) => total + avg * count, 0);
  const count = window.reduce((total, point) => total + point.count, 0);
  switch (how) {
    case "min":
      return Math.min(...window.map(({ min }) => min));
    case "max":
      return Math.max(...window.map(({ max }) => max));
    case "sum":
      return sum;
    case "count":
      return count;
    case "last":
      return window.at(-1)?.last ?? 0;
    case "avg":
      return count === 0 ? 0 : sum / count;
  }
}

function breaching(rule: Decision, { low, high, last }: Range): boolean {
  const limit = rule.limit ?? 0;
  const held = rule.for_seconds > 0;
  switch (rule.condition) {
    case "above":
      return (held ? low : high) > limit;
    case "below":
      return (held ? high : low) < limit;
    case "equals":
      return last === limit;
    case "changes_by":
      return (held ? low : high) >= limit;
  }
}

/** Past the clear value where there is one, else past the limit; between the two nothing changes. */
function clearing(rule: Decision, { low, high, last }: Range): boolean {
  const { clear_value: clear, limit } = rule;
  switch (rule.condition) {
    case "above":
      return clear === null || low <= clear;
    case "below":
      return clear === null || high >= clear;
    case "changes_by":
      return clear === null || low <= clear;
    case "equals":
      return clear === null || limit === null || !(Math.min(limit, clear) < last && last < Math.max(limit, clear));
  }
}

/** The one value of a range that the chart shows: the one that decides. */
function shownOf(rule: Decision, { low, high, last }: Range): number | null {
  const shown = rule.condition === "below" ? low : rule.condition === "equals" ? last : high;
  return Number.isFinite(shown) ? shown : null;
}

/**
 * The same with a gap wherever nothing was observed for longer than four spans, so that no line bridges it. Where values
 * come more seldom than spans do, for longer than four times what is usual between two of them.
 */
export function gapped(
  times: readonly number[],
  values: readonly (number | null)[],
  step: number,
): { times: number[]; values: (number | null)[] } {
  const told: { times: number[]; values: (number | null)[] } = { times: [], values: [] };
  const usual = Math.max(step, medianOf(times.slice(1).map((at, index) => at - (times[index] ?? at))));
  times.forEach((at, index) => {
    const before = times[index - 1];
    if (before !== undefined && step > 0 && at - before > LONGEST_GAP * usual) {
      told.times.push(before + usual);
      told.values.push(null);
    }
    told.times.push(at);
    told.values.push(values[index] ?? null);
  });
  return told;
}

const LONGEST_GAP = 4;

function medianOf(lengths: readonly number[]): number {
  return [...lengths].sort((one, other) => one - other)[lengths.length >> 1] ?? 0;
}
