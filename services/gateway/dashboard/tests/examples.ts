import type { Alert } from "@convex-alerts/client";

/** An alert that fires; what is given is as given. */
export function anAlert(given: Partial<Alert> = {}): Alert {
  return {
    id: "0199-0",
    fingerprint: "f".repeat(64),
    status: "firing",
    severity: "warning",
    alert_type: "threshold",
    rule_id: null,
    rule_name: "Orders pile up",
    framework_id: "framework",
    title: "Orders pile up: queue_depth above 650",
    current_value: 700,
    threshold_value: 650,
    labels: { region: "eu-west-1" },
    context: {},
    occurrences: 1,
    triggered_at: "2026-01-01T00:00:00Z",
    last_seen_at: "2026-01-01T00:00:00Z",
    acknowledged_by: null,
    acknowledged_at: null,
    resolved_by: null,
    resolved_at: null,
    resolution_notes: null,
    verdicts: { useful: 0, false_alarm: 0 },
    version: 1,
    ...given,
  };
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const below = (random: () => number, most: number): number => Math.floor(random() * most);

export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
