import type { components, TimelineEntry } from "@convex-alerts/client";

import { moment } from "../design/time";

/** The timeline in sentences: what happened, and why somebody was told of it or was not. Pure. */

type Log = Extract<TimelineEntry, { kind: "log" }>;
type Told = Extract<TimelineEntry, { kind: "notification" }>;
type Attempt = Extract<TimelineEntry, { kind: "attempt" }>;
type Reason = components["schemas"]["Reason"];

const REASONS: Record<string, string> = {
  first_trigger: "its condition was met for the first time",
  severity_raised: "it became more severe, which breaks through the suppression window",
  still_firing: "it still fires after the suppression window, and nobody has acknowledged it",
  window_ended: "the suppression window ended while it was firing",
  condition_cleared: "its condition has cleared",
  handed_over: "what it foretold has come, and a rule of its own tells of that",
  source_resolved: "its source resolved it",
  source_expired: "its source no longer reported it",
  source_changed: "its source changed it",
  resolved_by_person: "a person resolved it",
  acknowledged_by_person: "a person acknowledged it",
  commented_by_person: "a person commented on it",
  duplicate: "it is a duplicate within the suppression window",
  acknowledged: "somebody has acknowledged it",
  closed_by_person: "a person has closed it, and its condition has not cleared since",
  not_announced: "its firing was not announced either",
  rule_deleted: "its rule was deleted",
  rule_disabled: "its rule was disabled",
  rule_changed: "its rule was changed",
  framework_deleted: "its framework was deleted",
  silenced: "a silence covers it",
  judged_useful: "a person found it useful",
  judged_false_alarm: "a person called it a false alarm",
  snoozed: "it is snoozed",
  snooze_ended: "its snooze has ended, and it is still open",
  snoozed_by_person: "a person snoozed it",
  unsnoozed_by_person: "a person ended its snooze",
  assigned_by_person: "a person assigned it",
  unassigned_by_person: "a person took it from whoever had it",
  silence_ended: "the silence that covered it has ended while it was firing",
};

/** A reason in words; one that is not known yet says its own name. */
export function because(reason: Reason | string): string {
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}

const EVENTS: Record<string, string> = {
  created: "Began to fire",
  updated: "Fired again",
  acknowledged: "Acknowledged",
  unacknowledged: "No longer acknowledged",
  resolved: "Resolved",
  reopened: "Fires again",
  snoozed: "Snoozed",
  assigned: "Assigned",
  commented: "Commented",
  flapping: "Flapping",
  suppressed: "Nobody was told",
  escalated: "Escalated",
  judged: "Judged",
};

/** What people did in words of its own. */
const DONE: Record<string, string> = {
  judged_useful: "Found useful",
  judged_false_alarm: "Called a false alarm",
  unsnoozed_by_person: "Snooze ended",
  unassigned_by_person: "No longer assigned",
};

const CAUSES: Record<string, string> = {
  fired: "of its firing",
  reminder: "once more, as a reminder",
  escalation: "as an escalation",
  resolved: "of its end",
  digest: "in a digest",
  test: "as a test",
};

export type Weight = "told" | "withheld" | "person" | "trouble" | "plain";

export interface Moment {
  id: string;
  at: string;
  title: string;
  /** The rest of the sentence. */
  why: string;
  weight: Weight;
  attempts: readonly Attempt[];
  deliveries: Told["deliveries"];
  /** How many triggers it stands for. */
  count: number;
  trace: string | null;
  notes: string;
}

/** The newest first; attempts under the notification that they belong to; what repeats itself is one line. */
export function momentsOf(entries: readonly TimelineEntry[]): Moment[] {
  const attempts = new Map<string, Attempt[]>();
  for (const entry of entries) {
    if (entry.kind !== "attempt") continue;
    attempts.set(entry.delivery_id, [...(attempts.get(entry.delivery_id) ?? []), entry]);
  }
  const moments: Moment[] = [];
  for (const entry of entries) {
    if (entry.kind === "attempt") continue;
    const moment = entry.kind === "log" ? ofLog(entry) : ofNotification(entry, attempts);
    const last = moments.at(-1);
    if (
      last &&
      last.weight === moment.weight &&
      last.title === moment.title &&
      last.why === moment.why &&
      entry.kind === "log" &&
      !moment.notes
    ) {
      moments[moments.length - 1] = { ...moment, count: last.count + moment.count };
    } else moments.push(moment);
  }
  return moments.reverse();
}

function ofLog(entry: Log): Moment {
  const { event, reason, actor, count } = entry;
  const by = actor ? ` by ${actor}` : "";
  const why = [reason ? because(reason) : "", withheld(entry.detail)].filter(Boolean).join("; ");
  const until = entry.detail["snoozed_until"];
  const told = typeof until === "string" ? `until ${moment(until)}` : entry.detail["assigned_to"];
  const notes = entry.detail["notes"] ?? entry.detail["text"] ?? told;
  return {
    id: entry.id,
    at: entry.at,
    title: `${(reason && DONE[reason]) ?? EVENTS[event] ?? event.replaceAll("_", " ")}${by}`,
    why: actor && reason && (reason.endsWith("_by_person") || reason in DONE) ? withheld(entry.detail) : why,
    weight: event === "suppressed" ? "withheld" : actor ? "person" : "plain",
    attempts: [],
    deliveries: [],
    count,
    trace: entry.trace_id,
    notes: typeof notes === "string" ? notes : "",
  };
}

function withheld(detail: Readonly<Record<string, unknown>>): string {
  const reason = detail["withheld"];
  return typeof reason === "string" ? `nobody was told of it, since ${because(reason)}` : "";
}

function ofNotification(entry: Told, attempts: ReadonlyMap<string, readonly Attempt[]>): Moment {
  const failed = entry.deliveries.some(({ status }) => status === "failed" || status === "quarantined");
  const nobody = entry.deliveries.length === 0;
  return {
    id: entry.id,
    at: entry.at,
    title: nobody
      ? "No channel took the notification"
      : `People were told ${CAUSES[entry.cause] ?? entry.cause.replaceAll("_", " ")}`,
    why: [entry.reason ? because(entry.reason) : "", nobody ? "no enabled channel fits it" : ""]
      .filter(Boolean)
      .join("; "),
    weight: failed || nobody ? "trouble" : "told",
    attempts: entry.deliveries.flatMap(({ id }) => attempts.get(id) ?? []),
    deliveries: entry.deliveries,
    count: 1,
    trace: null,
    notes: "",
  };
}
