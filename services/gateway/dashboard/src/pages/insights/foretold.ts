import type { components } from "@convex-alerts/client";

type Schemas = components["schemas"];
export type Report = Schemas["FrameworkPredictions"];
export type Prediction = Schemas["Prediction"];
export type Outcome = Schemas["Outcome"];
export type Bin = Schemas["Bin"];

export const KINDS: Record<Prediction["kind"], string> = {
  next_alert: "An alert",
  anomaly: "An unusual hour",
  escalation: "A critical alert",
};

export const HORIZONS = [3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600] as const;

/** How far ahead, in words. */
export function horizon(seconds: number): string {
  const hours = seconds / 3600;
  if (hours < 24) return hours === 1 ? "1 hour" : `${hours} hours`;
  return hours === 24 ? "1 day" : `${hours / 24} days`;
}

/** A probability as people read it: never surer than it was meant. */
export function percent(probability: number): string {
  if (probability > 0 && probability < 0.01) return "< 1 %";
  if (probability < 1 && probability > 0.99) return "> 99 %";
  return `${Math.round(100 * probability)} %`;
}

export const figure = (score: number | null) => (score === null ? "–" : score.toFixed(3));
