/** The pages that navigation leads to. The gateway serves the same names: dashboard/routes.py. */
export interface SectionOf {
  to:
    | "/"
    | "/rules"
    | "/channels"
    | "/deliveries"
    | "/silences"
    | "/insights"
    | "/queues"
    | "/jobs"
    | "/health"
    | "/settings";
  name: string;
  /** After `g`. */
  key: string;
  group: "alerts" | "operation";
}

export const SECTIONS: readonly SectionOf[] = [
  { to: "/", name: "Alerts", key: "a", group: "alerts" },
  { to: "/rules", name: "Rules", key: "r", group: "alerts" },
  { to: "/silences", name: "Silences", key: "s", group: "alerts" },
  { to: "/channels", name: "Channels", key: "c", group: "alerts" },
  { to: "/deliveries", name: "Deliveries", key: "d", group: "alerts" },
  { to: "/insights", name: "Insights", key: "i", group: "alerts" },
  { to: "/queues", name: "Queues", key: "q", group: "operation" },
  { to: "/jobs", name: "Jobs", key: "j", group: "operation" },
  { to: "/health", name: "Health", key: "h", group: "operation" },
  { to: "/settings", name: "Settings", key: "t", group: "operation" },
];
