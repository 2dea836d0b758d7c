import type { Alert } from "@convex-alerts/client";

/** What a dialog that does something with alerts is called, and about which one it is. */
export function titleOf(verb: string, alerts: readonly Alert[]): { title: string; description: string | undefined } {
  const [first] = alerts;
  if (alerts.length > 1) return { title: `${verb} ${alerts.length} alerts`, description: undefined };
  return { title: verb, description: first?.title };
}
