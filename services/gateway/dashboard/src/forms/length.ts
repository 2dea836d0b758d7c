/** A length of time as a form has it: an amount that is typed, and a unit that is chosen. */
export type Unit = "s" | "min" | "h" | "d";

export interface Length {
  amount: string;
  unit: Unit;
}

const SECONDS: Record<Unit, number> = { s: 1, min: 60, h: 3600, d: 86_400 };
const LARGEST_FIRST: readonly Unit[] = ["d", "h", "min", "s"];

export const UNITS: readonly { value: Unit; label: string }[] = [
  { value: "s", label: "seconds" },
  { value: "min", label: "minutes" },
  { value: "h", label: "hours" },
  { value: "d", label: "days" },
];

/** Seconds in the largest unit that holds them whole; none at all are in `unit`. */
export function lengthOf(seconds: number, unit: Unit = "min"): Length {
  if (seconds === 0) return { amount: "0", unit };
  const fitting = LARGEST_FIRST.find((one) => seconds % SECONDS[one] === 0) ?? "s";
  return { amount: String(seconds / SECONDS[fitting]), unit: fitting };
}

/** Whole seconds, or null where the amount is no number that comes to some. */
export function secondsOf({ amount, unit }: Length): number | null {
  const number = numberOf(amount);
  if (number === null || number < 0) return null;
  const seconds = number * SECONDS[unit];
  return Math.abs(seconds - Math.round(seconds)) < 1e-6 ? Math.round(seconds) : null;
}

/** What was typed as a number, or null: no blanks between, no hexadecimal, and a comma is a point. */
export function numberOf(typed: string): number | null {
  const text = typed.trim().replace(",", ".");
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

/** Seconds as one says them: 45 s, 5 min, 1 h 30 min, 2 days. */
export function said(seconds: number): string {
  if (seconds === 0) return "0 s";
  const words: string[] = [];
  let rest = seconds;
  for (const unit of LARGEST_FIRST) {
    const count = Math.floor(rest / SECONDS[unit]);
    if (count === 0) continue;
    rest -= count * SECONDS[unit];
    words.push(unit === "d" ? `${count} ${count === 1 ? "day" : "days"}` : `${count} ${unit}`);
  }
  return words.join(" ");
}
