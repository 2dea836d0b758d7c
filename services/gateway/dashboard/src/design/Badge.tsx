import type { ReactNode } from "react";
import styles from "./Badge.module.css";
import { classes } from "./classes";

export type Tone = "critical" | "error" | "warning" | "info" | "good" | "neutral";

/** A word that stands out. The colour only repeats what the word says. */
export function Badge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={classes(styles["badge"], styles[tone])}>{children}</span>;
}

const SEVERITIES = new Set<string>(["critical", "error", "warning", "info"]);

/** How bad it is. */
export function SeverityBadge({ severity }: { severity: string }) {
  return <Badge tone={SEVERITIES.has(severity) ? (severity as Tone) : "neutral"}>{severity}</Badge>;
}

const STATUSES: Record<string, Tone> = {
  firing: "critical",
  acknowledged: "info",
  resolved: "good",
  delivered: "good",
  pending: "info",
  failed: "error",
  quarantined: "critical",
  healthy: "good",
  degraded: "warning",
  unhealthy: "critical",
  enabled: "good",
  active: "good",
  scheduled: "info",
  succeeded: "good",
  passed: "good",
  stale: "warning",
};

/** Where something stands, in the words of the API. */
export function StatusBadge({ status }: { status: string }) {
  return <Badge tone={STATUSES[status] ?? "neutral"}>{status.replaceAll("_", " ")}</Badge>;
}
