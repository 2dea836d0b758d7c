import { type Length, secondsOf } from "../../forms/length";
import { type Matcher, type MatcherRow, matchersOfRows, row } from "../../forms/matchers";
import type { Faults } from "../../forms/problems";

export type Recurrence = "" | "daily" | "weekdays" | "weekly";

export const RECURRENCES: readonly { value: Recurrence; label: string; said: string; rrule: string | null }[] = [
  { value: "", label: "Once", said: "once", rrule: null },
  { value: "daily", label: "Every day", said: "every day", rrule: "FREQ=DAILY" },
  { value: "weekdays", label: "Monday to Friday", said: "Monday to Friday", rrule: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR" },
  { value: "weekly", label: "Every week", said: "every week", rrule: "FREQ=WEEKLY" },
];

/** A silence while one makes it. */
export interface SilenceForm {
  matchers: MatcherRow[];
  comment: string;
  /** As an input of type datetime-local has it; empty is now. */
  from: string;
  length: Length;
  recurrence: Recurrence;
  timezone: string;
}

export const QUICK: readonly { label: string; length: Length }[] = [
  { label: "1 hour", length: { amount: "1", unit: "h" } },
  { label: "4 hours", length: { amount: "4", unit: "h" } },
  { label: "8 hours", length: { amount: "8", unit: "h" } },
  { label: "1 day", length: { amount: "1", unit: "d" } },
  { label: "1 week", length: { amount: "7", unit: "d" } },
];

export function emptySilence(matchers: readonly Matcher[], timezone: string): SilenceForm {
  return {
    matchers: matchers.length === 0 ? [row()] : matchers.map(row),
    comment: "",
    from: "",
    length: { amount: "1", unit: "h" },
    recurrence: "",
    timezone,
  };
}

export interface SilenceBody {
  matchers: Matcher[];
  starts_at: string;
  ends_at: string;
  comment: string;
  rrule?: string;
  timezone?: string;
}

/** The body to send, and what is wrong as far as one can tell here. */
export function silenceBody(form: SilenceForm, now: number): { body: SilenceBody; faults: Faults } {
  const faults: Record<string, string> = {};
  const matchers = matchersOfRows(form.matchers);
  if (matchers.length === 0) faults["matchers"] = "Say which alerts: one matcher at least.";
  matchers.forEach(({ name }, index) => {
    if (name === "") faults[`matchers[${index}].name`] = "names no label.";
  });
  const starts = form.from === "" ? now : Date.parse(form.from);
  if (Number.isNaN(starts)) faults["starts_at"] = "Is no time.";
  const seconds = secondsOf(form.length);
  if (seconds === null || seconds === 0) faults["ends_at"] = "Say for how long.";
  else if (starts + seconds * 1000 <= now && form.recurrence === "") faults["ends_at"] = "It would be over already.";
  if (form.comment.trim() === "") faults["comment"] = "Say why, for whoever wonders tonight.";
  const begin = Number.isNaN(starts) ? now : starts;
  const rrule = RECURRENCES.find(({ value }) => value === form.recurrence)?.rrule ?? null;
  const body: SilenceBody = {
    matchers,
    starts_at: new Date(begin).toISOString(),
    ends_at: new Date(begin + (seconds ?? 0) * 1000).toISOString(),
    comment: form.comment.trim(),
    ...(rrule === null ? {} : { rrule, timezone: form.timezone }),
  };
  return { body, faults };
}

/** A recurrence as one says it; others stay as they are. */
export function recurring(rrule: string | null | undefined): string {
  if (!rrule) return "once";
  return RECURRENCES.find((one) => one.rrule === rrule)?.said ?? rrule;
}
