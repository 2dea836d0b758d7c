import type { Alert, TimelineEntry } from "@convex-alerts/client";

/** When an alert fired, and what is to be seen around it. Times are milliseconds. Pure. */

const LEAST_AROUND = 10 * 60_000;
const MOST_BEFORE = 24 * 3_600_000;
const MOST_SHOWN = 7 * 24 * 3_600_000;

type Labels = Readonly<Record<string, string>>;

/** What tells an alert's series from others: its labels but for those that its rule adds. */
export function ownLabels(alert: Labels, rule: Labels): [name: string, value: string][] {
  return Object.entries(alert).filter(([name, value]) => rule[name] !== value);
}

/** The alert's own series: all of its labels are the alert's, and of two such it has more. */
export function seriesOf<Series extends { labels: Labels }>(
  found: readonly Series[],
  alert: Labels,
): Series | undefined {
  const size = ({ labels }: Series) => Object.keys(labels).length;
  return found
    .filter(({ labels }) => Object.entries(labels).every(([name, value]) => alert[name] === value))
    .sort((one, other) => size(other) - size(one))[0];
}

/** From half an episode before it began (ten minutes at least) to its end, or to now. */
export function periodOf(alert: Alert, now: number): [from: number, to: number] {
  const began = Date.parse(alert.triggered_at);
  const ended = alert.resolved_at === null ? now : Date.parse(alert.resolved_at);
  const around = Math.max(LEAST_AROUND, Math.min(MOST_BEFORE, (ended - began) / 2));
  const to = Math.min(now, ended + around);
  return [Math.max(began - around, to - MOST_SHOWN), to];
}

/** The spans in which it fired: an episode may end and begin again. */
export function bandsOf(alert: Alert, timeline: readonly TimelineEntry[], now: number): [from: number, to: number][] {
  const bands: [number, number][] = [];
  let began: number | null = Date.parse(alert.triggered_at);
  for (const entry of timeline) {
    if (entry.kind !== "log") continue;
    const at = Date.parse(entry.at);
    if (entry.event === "resolved" && began !== null) {
      bands.push([began, at]);
      began = null;
    } else if (entry.event === "reopened") began ??= at;
  }
  if (began !== null) bands.push([began, alert.resolved_at === null ? now : Date.parse(alert.resolved_at)]);
  return bands;
}

/** When somebody acknowledged or resolved it. */
export function marksOf(alert: Alert, timeline: readonly TimelineEntry[]): number[] {
  const marks = new Set<number>();
  for (const entry of timeline) {
    if (entry.kind === "log" && (entry.event === "acknowledged" || entry.event === "resolved"))
      marks.add(Date.parse(entry.at));
  }
  for (const time of [alert.acknowledged_at, alert.resolved_at])
    if (time !== null && timeline.length === 0) marks.add(Date.parse(time));
  return [...marks];
}

/** From where to where a value was usual at each point's time, as it was expected last before; null before the first. */
export function usualAt(
  points: readonly { at: string }[],
  usual: readonly { at: string; low: number; high: number }[],
): [low: (number | null)[], high: (number | null)[]] {
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  let next = 0;
  for (const { at } of points) {
    while (next < usual.length && Date.parse(usual[next]?.at ?? "") <= Date.parse(at)) next += 1;
    const known = usual[next - 1];
    low.push(known?.low ?? null);
    high.push(known?.high ?? null);
  }
  return [low, high];
}
