import type { Alert, components } from "@convex-alerts/client";
import { soon } from "../design/time";

export type Assignee = components["schemas"]["Assignee"];

/** What a person does with alerts. */
export type Deed =
  | { action: "acknowledge" }
  | { action: "resolve"; notes?: string | undefined }
  /** Until a time; null ends it. */
  | { action: "snooze"; until: string | null }
  /** To a member; null is nobody in particular. */
  | { action: "assign"; to: Assignee | null };

export type Action = Deed["action"];

/** Whether a person can do it with the alert as it stands. */
export function isPossible(action: Action, alert: Alert): boolean {
  return action === "acknowledge" ? alert.status === "firing" : alert.status !== "resolved";
}

/** Whether it would make another of it: nothing is asked for that is so already. */
export function changes(deed: Deed, alert: Alert): boolean {
  if (!isPossible(deed.action, alert)) return false;
  if (deed.action === "snooze") return deed.until !== null || Boolean(alert.snoozed_until);
  return deed.action !== "assign" || (deed.to?.user_id ?? null) !== (alert.assigned_to ?? null);
}

/** Whoever acknowledges or resolves ends the snooze. */
const AWAKE = { snoozed_until: null, snoozed_by: null };

/** What of an alert is another once the server agrees. */
export function wished(deed: Deed, me: string, now: Date): Partial<Alert> {
  const at = now.toISOString();
  switch (deed.action) {
    case "acknowledge":
      return { status: "acknowledged", acknowledged_by: me, acknowledged_at: at, ...AWAKE };
    case "resolve":
      return { status: "resolved", resolved_by: me, resolved_at: at, resolution_notes: deed.notes || null, ...AWAKE };
    case "snooze":
      return { snoozed_until: deed.until, snoozed_by: deed.until === null ? null : me };
    case "assign":
      return { assigned_to: deed.to?.user_id ?? null };
  }
}

/** Its fields, as one and as many alerts take them. */
export function fieldsOf(deed: Deed): { notes?: string; until?: string | null; user_id?: string | null } {
  switch (deed.action) {
    case "acknowledge":
      return {};
    case "resolve":
      return deed.notes ? { notes: deed.notes } : {};
    case "snooze":
      return { until: deed.until };
    case "assign":
      return { user_id: deed.to?.user_id ?? null };
  }
}

/** What others did meanwhile that it would undo unseen, or null: one more occurrence is none of that. */
export function conflict(deed: Deed, seen: Alert, now: Alert): string | null {
  if (now.status !== seen.status) {
    const who = now.status === "resolved" ? now.resolved_by : now.acknowledged_by;
    return `Meanwhile it was ${now.status === "firing" ? "fired anew" : now.status}${by(who)}.`;
  }
  if (deed.action === "snooze" && (now.snoozed_until ?? null) !== (seen.snoozed_until ?? null)) {
    if (!now.snoozed_until) return "Meanwhile its snooze has ended.";
    return `Meanwhile it was snoozed until ${soon(now.snoozed_until)}${by(now.snoozed_by)}.`;
  }
  if (deed.action === "assign" && (now.assigned_to ?? null) !== (seen.assigned_to ?? null)) {
    return `Meanwhile it was ${now.assigned_to ? `assigned to ${now.assigned_to}` : "taken from its assignee"}.`;
  }
  return null;
}

const by = (who: string | null | undefined): string => (who ? ` by ${who}` : "");

/** What became of it, in words that follow a count. */
export function done(deed: Deed): string {
  switch (deed.action) {
    case "acknowledge":
      return "acknowledged";
    case "resolve":
      return "resolved";
    case "snooze":
      return deed.until === null ? "no longer snoozed" : `snoozed until ${soon(deed.until)}`;
    case "assign":
      return `assigned to ${deed.to?.name ?? "nobody in particular"}`;
  }
}

export const sentence = (words: string): string => words.slice(0, 1).toUpperCase() + words.slice(1);

export interface Refusal {
  /** Which alert. */
  name: string;
  reason: string;
}

const LABELS = 2;
const NAMES = 5;

/** What tells an alert from others of its rule. */
export function nameOf({ title, labels }: Alert): string {
  const told = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return told.length === 0 ? title : `${title} (${told.slice(0, LABELS).join(", ")})`;
}

/** Which alerts stay as they are and why: each reason once, with the names of its first few. */
export function refusals(refused: readonly Refusal[]): string {
  const named = new Map<string, string[]>();
  for (const { name, reason } of refused) {
    const names = named.get(reason);
    if (names === undefined) named.set(reason, [name]);
    else names.push(name);
  }
  const told = [...named].map(([reason, names]) => {
    const more = names.length - NAMES;
    return `${sentence(reason).replace(/\.$/, "")}: ${names.slice(0, NAMES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  });
  return `${refused.length} ${refused.length === 1 ? "stays as it is" : "stay as they are"}. ${told.join(". ")}.`;
}
