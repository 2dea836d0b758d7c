// A list: one row per alert, kept and changed in place, so that focus and scrolling stay where they are.

import { isOpen } from "./alerts.js";
import { age, element, moment, number, setText } from "./dom.js";

const AT_FIRST = 100;
const LABELS = 4;

export class List {
  // `on`: open(id), acknowledge(id), resolve(id). `more` is the button that shows more rows, where there may be many.
  constructor(root, on, frameworkName, more = null) {
    this.on = on;
    this.frameworkName = frameworkName;
    this.root = root;
    this.more = more;
    this.rows = new Map();
    this.most = AT_FIRST;
    more?.addEventListener("click", () => {
      this.most += AT_FIRST;
      this.render(this.alerts);
    });
    setInterval(() => document.hidden || this.tick(), 1000);
  }

  render(alerts) {
    this.alerts = alerts;
    const visible = alerts.slice(0, this.most);
    const wanted = new Set(visible.map((alert) => alert.id));
    for (const [id, row] of this.rows) {
      if (!wanted.has(id)) {
        row.root.remove();
        this.rows.delete(id);
      }
    }
    let next = this.root.firstElementChild;
    for (const alert of visible) {
      const row = this.rows.get(alert.id) ?? this.add(alert.id);
      this.fill(row, alert);
      if (row.root === next) next = next.nextElementSibling;
      else this.root.insertBefore(row.root, next);
    }
    if (!this.more) return;
    this.more.hidden = alerts.length <= this.most;
    setText(this.more, `Show more (${alerts.length - visible.length})`);
  }

  // What is new draws the eye to its row; another value of what is known only to the value.
  flash(id, event) {
    const row = this.rows.get(id);
    if (!row) return;
    const node = event === "updated" ? row.parts.value : row.root;
    node.classList.remove("fresh");
    void node.offsetWidth; // begins the animation anew
    node.classList.add("fresh");
  }

  // Moves the focus by rows; from nowhere to the first.
  move(by) {
    const rows = [...this.root.children];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.querySelector(".title").focus();
  }

  focused() {
    return document.activeElement?.closest?.("#alerts > li")?.dataset.id;
  }

  add(id) {
    const parts = {
      severity: element("span", { class: "severity" }),
      status: element("span", { class: "status" }),
      title: element("button", { type: "button", class: "title", onclick: () => this.on.open(id) }),
      where: element("span", { class: "where" }),
      labels: element("span", { class: "where" }),
      value: element("span", { class: "value" }),
      threshold: element("span", { class: "muted" }),
      occurrences: element("span", { class: "occurrences" }),
      fired: element("time"),
      ended: element("span"),
      seen: element("time"),
      acknowledge: element("button", { type: "button", onclick: () => this.on.acknowledge(id) }, "Acknowledge"),
      resolve: element("button", { type: "button", onclick: () => this.on.resolve(id) }, "Resolve"),
    };
    const root = element("li", { data: { id } },
      element("div", { class: "what" },
        element("div", { class: "tags" }, parts.severity, parts.status, parts.where, parts.labels),
        parts.title),
      element("div", { class: "numbers" }, parts.value, parts.threshold),
      element("div", { class: "times" }, parts.occurrences,
        element("span", {}, "fired ", parts.fired, " ago"),
        element("span", {}, parts.ended, parts.seen, " ago")),
      element("div", { class: "actions" }, parts.acknowledge, parts.resolve));
    const row = { root, parts };
    this.rows.set(id, row);
    return row;
  }

  fill(row, alert) {
    if (row.alert === alert) return;
    row.alert = alert;
    const { root, parts } = row;
    root.dataset.severity = alert.severity;
    root.dataset.status = alert.status;
    setText(parts.severity, alert.severity);
    setText(parts.status, alert.acknowledged_by && alert.status === "acknowledged" ? `acknowledged by ${alert.acknowledged_by}` : alert.status);
    setText(parts.title, alert.title);
    setText(parts.where, [this.frameworkName(alert.framework_id), alert.rule_name].filter(Boolean).join(" · "));
    setText(parts.labels, Object.entries(alert.labels).slice(0, LABELS).map((label) => label.join("=")).join(" "));
    setText(parts.value, number(alert.current_value));
    setText(parts.threshold, alert.threshold_value === null ? "" : `threshold ${number(alert.threshold_value)}`);
    setText(parts.occurrences, `×${alert.occurrences}`);
    parts.occurrences.title = `${alert.occurrences} occurrences`;
    setText(parts.ended, alert.resolved_at ? "resolved " : "last ");
    for (const [part, time] of [[parts.fired, alert.triggered_at], [parts.seen, latest(alert)]]) {
      part.setAttribute("datetime", time);
      part.title = moment(time);
      setText(part, age(time));
    }
    parts.acknowledge.hidden = alert.status !== "firing";
    parts.resolve.hidden = !isOpen(alert);
    parts.acknowledge.setAttribute("aria-label", `Acknowledge ${alert.title}`);
    parts.resolve.setAttribute("aria-label", `Resolve ${alert.title}`);
  }

  tick() {
    const now = Date.now();
    for (const { alert, parts } of this.rows.values()) {
      setText(parts.fired, age(alert.triggered_at, now));
      setText(parts.seen, age(latest(alert), now));
    }
  }
}

const latest = (alert) => alert.resolved_at ?? alert.last_seen_at;
