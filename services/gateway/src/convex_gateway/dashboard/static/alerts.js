// The alerts that the page knows, and which of them are to be seen. No elements here.

export const SEVERITIES = ["critical", "error", "warning", "info"];
export const STATUSES = { open: "Open", firing: "Firing", acknowledged: "Acknowledged", resolved: "Resolved", all: "All" };
const KEPT = 5000;

export const isOpen = (alert) => alert.status !== "resolved";

export function activity(alert) {
  return Math.max(...[alert.last_seen_at, alert.acknowledged_at, alert.resolved_at].map((time) => (time ? Date.parse(time) : 0)));
}

export class Alerts {
  constructor() {
    this.known = new Map();
    this.touched = new Set();
    this.filter = { status: "open", severity: "", framework: "", text: "" };
  }

  // What comes by the feed between `reloading` and `reloaded` may be newer than what is being loaded.
  reloading() {
    this.touched = new Set();
  }

  reloaded(items) {
    for (const id of this.known.keys()) if (!this.touched.has(id)) this.known.delete(id);
    items.forEach((alert) => this.take(alert));
  }

  clear() {
    this.known.clear();
  }

  // A frame and an answer may cross: the higher version is the newer one.
  take(alert) {
    const before = this.known.get(alert.id);
    if (before && before.version > alert.version) return false;
    this.known.set(alert.id, alert);
    this.touched.add(alert.id);
    if (this.known.size > KEPT) this.drop();
    return true;
  }

  get(id) {
    return this.known.get(id);
  }

  counts() {
    const counts = Object.fromEntries(SEVERITIES.map((severity) => [severity, 0]));
    for (const alert of this.known.values()) if (isOpen(alert)) counts[alert.severity] += 1;
    return counts;
  }

  shown() {
    return this.newest((alert) => this.fits(alert));
  }

  // What was over last, for those who look at what is open.
  recentlyResolved(most) {
    if (this.filter.status !== "open") return [];
    return this.newest((alert) => !isOpen(alert) && this.fits(alert, "resolved")).slice(0, most);
  }

  newest(wanted) {
    return [...this.known.values()]
      .filter(wanted)
      .sort((a, b) => activity(b) - activity(a) || (a.id < b.id ? 1 : -1));
  }

  fits(alert, status = this.filter.status) {
    const { severity, framework, text } = this.filter;
    if (status === "open" ? !isOpen(alert) : status !== "all" && alert.status !== status) return false;
    if (severity && alert.severity !== severity) return false;
    if (framework && alert.framework_id !== framework) return false;
    return !text || said(alert).includes(text);
  }

  drop() {
    const oldest = [...this.known.values()].filter((alert) => !isOpen(alert)).sort((a, b) => activity(a) - activity(b));
    oldest.slice(0, KEPT / 10).forEach((alert) => this.known.delete(alert.id));
  }
}

function said(alert) {
  return [alert.title, alert.rule_name, ...Object.entries(alert.labels).flat()].join(" ").toLowerCase();
}
