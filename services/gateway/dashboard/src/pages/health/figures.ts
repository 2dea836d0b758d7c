import { duration } from "../../design/time";

/** Milliseconds as one reads them; nothing measured is a dash. */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
  return value < 60_000 ? `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s` : duration(value);
}

/** A count; what is not known is a dash. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toLocaleString();
}

export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${value.toFixed(value === 100 || value === 0 ? 0 : 1)} %`;
}

export const KEPT = 120;

/** What was seen of a figure while the page is open: one more, the oldest forgotten beyond 120. */
export function kept(seen: readonly (number | null)[], value: number | null | undefined): (number | null)[] {
  return [...seen, value ?? null].slice(-KEPT);
}

/** The points of a line through values, in a box of 100 by 100; gaps where a value is missing. */
export function path(values: readonly (number | null)[]): string {
  const known = values.filter((value): value is number => value !== null);
  if (known.length === 0) return "";
  const low = Math.min(0, ...known);
  const high = Math.max(...known);
  const range = high - low || 1;
  const across = Math.max(1, values.length - 1);
  let drawn = "";
  let pen = false;
  values.forEach((value, index) => {
    if (value === null) {
      pen = false;
      return;
    }
    const x = round((index / across) * 100);
    const y = round(95 - ((value - low) / range) * 90);
    drawn += `${pen ? "L" : "M"}${x} ${y}`;
    pen = true;
  });
  return drawn;
}

const round = (value: number): number => Math.round(value * 100) / 100;
