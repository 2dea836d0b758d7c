// One alert in full: what it says, what can be done, and everything that happened with it.

import * as api from "./api.js";
import { isOpen } from "./alerts.js";
import { age, byId, element, moment, number, setText, words } from "./dom.js";

const REFRESH_AFTER = 2000;

export class Drawer {
  // `on`: acknowledge(id), resolve(id)
  constructor(on, frameworkName) {
    this.on = on;
    this.frameworkName = frameworkName;
    this.root = byId("drawer");
    this.id = null;
    byId("drawer-close").addEventListener("click", () => this.root.close());
    this.root.addEventListener("close", () => (this.id = null));
    this.root.addEventListener("click", (click) => click.target === this.root && this.root.close());
  }

  open(alert) {
    this.id = alert.id;
    this.facts = element("div");
    this.history = element("ol", { class: "timeline" }, element("li", { class: "muted" }, "Loading…"));
    byId("drawer-body").replaceChildren(this.facts, element("h3", {}, "Timeline"), this.history);
    this.show(alert);
    if (!this.root.open) this.root.showModal();
    this.load();
  }

  // The alert changed while it is being looked at.
  take(alert) {
    if (alert.id !== this.id) return;
    this.show(alert);
    this.loading ??= setTimeout(() => this.load(), REFRESH_AFTER);
  }

  show(alert) {
    this.root.dataset.severity = alert.severity;
    setText(byId("drawer-title"), alert.title);
    const facts = [
      ["Framework", this.frameworkName(alert.framework_id) || alert.framework_id],
      ["Rule", alert.rule_name],
      ["Type", alert.alert_type],
      ["Value", number(alert.current_value) + (alert.threshold_value === null ? "" : ` (threshold ${number(alert.threshold_value)})`)],
      ["Occurrences", String(alert.occurrences)],
      ["Fired", moment(alert.triggered_at)],
      ["Last seen", moment(alert.last_seen_at)],
      ["Acknowledged", alert.acknowledged_at && `${moment(alert.acknowledged_at)} by ${alert.acknowledged_by}`],
      ["Resolved", alert.resolved_at && `${moment(alert.resolved_at)}${alert.resolved_by ? ` by ${alert.resolved_by}` : " by itself"}`],
      ["Notes", alert.resolution_notes],
    ].filter(([, value]) => value);
    const labels = Object.entries(alert.labels).map(([name, value]) => element("li", {}, `${name}=${value}`));
    const context = Object.keys(alert.context).length
      ? [element("h3", {}, "Context"), element("pre", {}, JSON.stringify(alert.context, null, 2))] : [];
    this.facts.replaceChildren(
      element("p", { class: "tags" }, element("span", { class: "severity" }, alert.severity), words(alert.status)),
      element("div", { class: "actions" },
        alert.status === "firing" ? this.button("Acknowledge", () => this.on.acknowledge(alert.id), "primary") : null,
        isOpen(alert) ? this.button("Resolve", () => this.on.resolve(alert.id)) : null),
      element("dl", {}, facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
      labels.length ? element("ul", { class: "labels", "aria-label": "Labels" }, labels) : "",
      ...context);
  }

  async load() {
    const id = this.id;
    clearTimeout(this.loading);
    this.loading = null;
    if (!id) return;
    try {
      const { items } = await api.timeline(id);
      if (id === this.id) this.history.replaceChildren(...folded(items.reverse()).map(entry));
    } catch (error) {
      if (id === this.id) this.history.replaceChildren(element("li", { class: "problem" }, error.message));
    }
  }

  button(text, onclick, look = "") {
    return element("button", { type: "button", class: look, onclick }, text);
  }
}

// Changes in a row that say the same are one line, the newest of them, with their sum.
function folded(items) {
  const lines = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (item.kind === "log" && last?.kind === "log" && last.event === item.event && last.reason === item.reason && last.actor === item.actor) {
      last.count += item.count;
    } else {
      lines.push({ ...item });
    }
  }
  return lines;
}

function entry(item) {
  return element("li", { data: { kind: item.kind } },
    element("time", { datetime: item.at, title: moment(item.at) }, `${age(item.at)} ago`),
    element("span", {}, element("strong", {}, heading(item)), details(item)));
}

function heading(item) {
  if (item.kind === "notification") return `notified: ${words(item.cause)}`;
  if (item.kind === "attempt") return `attempt ${item.number} on ${item.channel_name}: ${words(item.outcome)}`;
  return words(item.event);
}

function details(item) {
  const told = [];
  if (item.reason) told.push(words(item.reason));
  if (item.count > 1) told.push(`×${item.count}`);
  if (item.actor) told.push(`by ${item.actor}`);
  if (item.deliveries) told.push(item.deliveries.map((d) => `${d.channel_name} (${words(d.status)})`).join(", "));
  if (item.status_code) told.push(`HTTP ${item.status_code}`);
  if (item.error) told.push(item.error);
  return told.length ? ` ${told.join(" · ")}` : null;
}
