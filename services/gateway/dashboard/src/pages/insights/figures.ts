import { duration } from "../../design/time";

/** Words and steps for the figures of a period. Pure. */

const LEVELS = 5;

/** 0 for none, else 1 to 5: the step of a count among the most. */
export function levelOf(count: number, most: number): number {
  return count <= 0 || most <= 0 ? 0 : Math.max(1, Math.ceil((count / most) * LEVELS));
}

/** A share of 1 in percent; what is not known is a dash. */
export function share(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${(value * 100).toFixed(value > 0 && value < 0.1 ? 1 : 0)} %`;
}

/** Seconds as one reads them; nothing measured is a dash. */
export function seconds(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : duration(value * 1000);
}

/** How much it is compared with the period before, in words; nothing where there was none. */
export function compared(now: number | null, before: number | null): string {
  if (now === null || before === null) return "";
  if (before === 0) return now === 0 ? "as before" : "none before";
  const change = Math.round(((now - before) / before) * 100);
  if (change === 0) return "as before";
  return change > 0 ? `${change} % more than before` : `${-change} % less than before`;
}

/** The days that end today by this zone's clock, as dates. */
export function daysUntil(now: Date, days: number, timezone: string): { from: string; to: string } {
  const date = (at: number) => new Intl.DateTimeFormat("en-CA", { timeZone: timezone }).format(at);
  const to = date(now.getTime());
  const from = new Date(Date.parse(`${to}T00:00:00Z`) - (days - 1) * 86_400_000).toISOString().slice(0, 10);
  return { from, to };
}
