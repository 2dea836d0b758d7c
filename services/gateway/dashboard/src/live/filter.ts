import type { Alert } from "@convex-alerts/client";

/** What the list shows, as the address has it. */
export interface Filter {
  status: StatusChoice;
  severity: readonly string[];
  framework: string;
  type: string;
  text: string;
}

export const STATUSES = ["open", "firing", "acknowledged", "resolved", "all"] as const;
export type StatusChoice = (typeof STATUSES)[number];
export const SEVERITIES = ["critical", "error", "warning", "info"] as const;
export const TYPES = ["threshold", "anomaly", "performance", "milestone", "absence", "forecast"] as const;
export const SORTS = ["newest", "activity", "severity", "value"] as const;
export type Sort = (typeof SORTS)[number];

export const EVERYTHING_OPEN: Filter = { status: "open", severity: [], framework: "", type: "", text: "" };

/** The alert's own words, in lower case: what a search looks through. */
export function wordsOf(alert: Alert): string {
  const labels = Object.entries(alert.labels).map(([name, value]) => `${name}=${value}`);
  return [alert.title, alert.rule_name, ...labels].join("\n").toLowerCase();
}

const found = new WeakMap<Alert, string>();

function words(alert: Alert): string {
  let known = found.get(alert);
  if (known === undefined) {
    known = wordsOf(alert);
    found.set(alert, known);
  }
  return known;
}

/** Whether the alert is to be seen. Every word of the search has to be in it somewhere. */
export function fits(alert: Alert, filter: Filter): boolean {
  const { status, severity, framework, type, text } = filter;
  if (status === "open" ? alert.status === "resolved" : status !== "all" && alert.status !== status) return false;
  if (severity.length > 0 && !severity.includes(alert.severity)) return false;
  if (framework && alert.framework_id !== framework) return false;
  if (type && alert.alert_type !== type) return false;
  if (!text) return true;
  const said = words(alert);
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => said.includes(word));
}

/** Whether anything but the status narrows it. */
export const isNarrow = ({ severity, framework, type, text }: Filter): boolean =>
  severity.length > 0 || framework !== "" || type !== "" || text !== "";

const RANK: Record<string, number> = { critical: 0, error: 1, warning: 2, info: 3 };
const byId = (a: Alert, b: Alert): number => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/** The time at which something last happened with it. */
export function activityOf(alert: Alert): string {
  let latest = alert.last_seen_at;
  for (const at of [alert.acknowledged_at, alert.resolved_at]) if (at !== null && at > latest) latest = at;
  return latest;
}

/** Orders without ties, so that a place in the list is one place. RFC 3339 times in UTC sort as text, but for their fractions. */
export const ORDERS: Record<Sort, (a: Alert, b: Alert) => number> = {
  newest: (a, b) => compare(time(b.triggered_at), time(a.triggered_at)) || byId(a, b),
  activity: (a, b) => compare(time(activityOf(b)), time(activityOf(a))) || byId(a, b),
  severity: (a, b) =>
    (RANK[a.severity] ?? 9) - (RANK[b.severity] ?? 9) ||
    compare(time(b.triggered_at), time(a.triggered_at)) ||
    byId(a, b),
  value: (a, b) => compare(b.current_value ?? -Infinity, a.current_value ?? -Infinity) || byId(a, b),
};

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const parsed = new Map<string, number>();

/** Milliseconds; the same few thousand texts are asked for over and over. */
function time(text: string): number {
  let at = parsed.get(text);
  if (at === undefined) {
    if (parsed.size > 50_000) parsed.clear();
    at = Date.parse(text);
    parsed.set(text, at);
  }
  return at;
}

type Search = Record<string, unknown>;
const oneOf = <T extends string>(known: readonly T[], value: unknown, otherwise: T): T =>
  known.includes(value as T) ? (value as T) : otherwise;

export interface ListSearch {
  status?: StatusChoice;
  severity?: string;
  framework?: string;
  type?: string;
  q?: string;
  sort?: Sort;
}

/** What an address asks for; what nobody knows is left out, and what is usual is not said. */
export function searchOf(given: Search): ListSearch {
  const status = oneOf(STATUSES, given["status"], "open");
  const sort = oneOf(SORTS, given["sort"], "newest");
  const severities = String(given["severity"] ?? "")
    .split(",")
    .filter((one) => SEVERITIES.includes(one as (typeof SEVERITIES)[number]));
  const type = oneOf<string>(["", ...TYPES], given["type"], "");
  const framework = String(given["framework"] ?? "").slice(0, 64);
  const text = String(given["q"] ?? "").slice(0, 200);
  return {
    ...(status === "open" ? {} : { status }),
    ...(severities.length ? { severity: severities.join(",") } : {}),
    ...(framework ? { framework } : {}),
    ...(type ? { type } : {}),
    ...(text ? { q: text } : {}),
    ...(sort === "newest" ? {} : { sort }),
  };
}

export function filterOf(search: ListSearch): Filter {
  return {
    status: search.status ?? "open",
    severity: search.severity ? search.severity.split(",") : [],
    framework: search.framework ?? "",
    type: search.type ?? "",
    text: (search.q ?? "").trim(),
  };
}
