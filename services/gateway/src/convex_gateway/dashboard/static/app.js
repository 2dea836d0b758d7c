// Puts the page together: signs in, loads by REST, follows by WebSocket, and lets people act.

import { Alerts, SEVERITIES, STATUSES } from "./alerts.js";
import * as api from "./api.js";
import { Connection } from "./connection.js";
import { byId, element, setText } from "./dom.js";
import { Drawer } from "./drawer.js";
import { List } from "./list.js";

const alerts = new Alerts();
const frameworks = new Map();
const frameworkName = (id) => frameworks.get(id) ?? "";
const on = {
  open: (id) => drawer.open(alerts.get(id)),
  acknowledge: (id) => act(() => api.acknowledge(id)),
  resolve: askToResolve,
};
const list = new List(byId("alerts"), on, frameworkName, byId("more"));
const recent = new List(byId("recent"), on, frameworkName);
const drawer = new Drawer(on, frameworkName);
const RECENT = 6;
const STATES = {
  connecting: () => "Connecting…",
  connected: () => "Live",
  stale: () => "Stale: the store is away",
  reconnecting: (seconds) => `Reconnecting in ${seconds} s`,
  failed: (seconds) => `Cannot load, trying again in ${seconds} s`,
};
let connection = null;
let session = 0; // raised by every sign-in and sign-out: what an older one is still waiting for is dropped
let due = false;
let loaded = false;

function render() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    const shown = alerts.shown();
    const over = alerts.recentlyResolved(RECENT);
    list.render(shown);
    recent.render(over);
    byId("recently").hidden = over.length === 0;
    byId("empty").hidden = !loaded || shown.length > 0;
    setText(byId("empty"), nothingToShow());
    const counts = alerts.counts();
    byId("counts").replaceChildren(...SEVERITIES.map((severity) =>
      element("button", {
        type: "button", class: "count", data: { severity, none: counts[severity] === 0 }, "aria-pressed": String(alerts.filter.severity === severity),
        onclick: () => chooseSeverity(alerts.filter.severity === severity ? "" : severity),
      }, element("strong", {}, String(counts[severity])), ` ${severity}`)));
    const firing = counts.critical + counts.error;
    document.title = firing ? `(${firing}) Convex Alerts` : "Convex Alerts";
  });
}

function nothingToShow() {
  const { status, severity, framework, text } = alerts.filter;
  if (status !== "open" || severity || framework || text) return "Nothing fits these filters.";
  return alerts.known.size ? "All clear: nothing is open." : "All clear: no alerts yet.";
}

function take(event, alert, replayed = false) {
  const known = alerts.get(alert.id) !== undefined;
  if (!alerts.take(alert)) return;
  drawer.take(alert);
  render();
  if (!frameworks.has(alert.framework_id)) loadFrameworks();
  if (event === "suppressed" || replayed) return;
  requestAnimationFrame(() => requestAnimationFrame(() => [list, recent].forEach((one) => one.flash(alert.id, event))));
  if (!known && alert.status === "firing") setText(byId("said"), `${alert.severity}: ${alert.title}`);
}

function show(state, detail) {
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), STATES[state](detail));
  byId("retry").hidden = state !== "reconnecting";
}

async function start() {
  const mine = (session += 1);
  byId("sign-in").hidden = true;
  for (const id of ["board", "connection", "sign-out"]) byId(id).hidden = false;
  show("connecting");
  for (let tries = 0; mine === session; tries += 1) {
    try {
      const who = await api.me();
      setText(byId("workspace"), who.workspace?.name ?? "");
      byId("workspace").hidden = false;
      await loadFrameworks();
      const since = await load();
      if (mine !== session) return;
      connection = new Connection(api.credentials.get(), since, {
        state: show, alert: take, refused: signOut, reload: () => load().catch((error) => problem(error.message)),
      });
      return;
    } catch (error) {
      if (mine !== session) return;
      if (error.status === 401 || error.status === 403) return signOut(error.message);
      const seconds = Math.min(30, 2 ** tries);
      show("failed", seconds);
      await new Promise((resume) => setTimeout(resume, seconds * 1000));
    }
  }
}

async function load() {
  alerts.reloading();
  const { items, epoch, offset } = await api.alerts();
  alerts.reloaded(items);
  loaded = true;
  render();
  return { epoch, offset };
}

let loadingFrameworks = null;
function loadFrameworks() {
  loadingFrameworks ??= api.frameworks().then(({ items }) => {
    frameworks.clear();
    items.forEach(({ id, name }) => frameworks.set(id, name));
    const sorted = items.sort((a, b) => a.name.localeCompare(b.name));
    const select = byId("framework-filter");
    select.replaceChildren(element("option", { value: "" }, "All"), ...sorted.map(({ id, name }) => element("option", { value: id }, name)));
    select.value = alerts.filter.framework;
    for (const one of [list, recent]) one.rows.forEach((row) => (row.alert = null));
    render();
  }).finally(() => setTimeout(() => (loadingFrameworks = null), 5000));
  return loadingFrameworks;
}

function signOut(message = "") {
  session += 1;
  connection?.close();
  connection = null;
  loaded = false;
  api.credentials.clear();
  alerts.clear();
  render();
  byId("drawer").close();
  byId("resolve").close();
  for (const id of ["board", "connection", "sign-out", "workspace"]) byId(id).hidden = true;
  byId("sign-in").hidden = false;
  setText(byId("sign-in-error"), message);
  byId("token").focus();
}

async function act(action) {
  problem("");
  try {
    take("acted", await action());
    return "";
  } catch (error) {
    if (error.status === 401) signOut(error.message);
    else problem(error.message);
    return error.message;
  }
}

function problem(message) {
  setText(byId("problem"), message);
  byId("problem").hidden = !message;
}

function askToResolve(id) {
  byId("resolve").dataset.id = id;
  setText(byId("resolve-what"), alerts.get(id).title);
  setText(byId("resolve-error"), "");
  byId("notes").value = "";
  byId("resolve").showModal();
}

function chooseSeverity(severity) {
  alerts.filter.severity = severity;
  byId("severity-filter").value = severity;
  render();
}

function chooseStatus(status) {
  alerts.filter.status = status;
  for (const button of byId("status-filter").children) button.setAttribute("aria-pressed", String(button.dataset.status === status));
  render();
}

function wire() {
  byId("status-filter").replaceChildren(...Object.entries(STATUSES).map(([status, name]) =>
    element("button", { type: "button", data: { status }, onclick: () => chooseStatus(status) }, name)));
  byId("severity-filter").append(...SEVERITIES.map((severity) => element("option", { value: severity }, severity)));
  byId("severity-filter").addEventListener("change", (change) => chooseSeverity(change.target.value));
  byId("framework-filter").addEventListener("change", (change) => {
    alerts.filter.framework = change.target.value;
    render();
  });
  byId("search").addEventListener("input", (input) => {
    alerts.filter.text = input.target.value.trim().toLowerCase();
    render();
  });
  byId("sign-in-form").addEventListener("submit", (submit) => {
    submit.preventDefault();
    api.credentials.set(byId("token").value.trim());
    byId("token").value = "";
    start();
  });
  byId("resolve-form").addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const failure = await act(() => api.resolve(byId("resolve").dataset.id, byId("notes").value.trim()));
    setText(byId("resolve-error"), failure);
    if (!failure) byId("resolve").close();
  });
  byId("resolve-cancel").addEventListener("click", () => byId("resolve").close());
  byId("sign-out").addEventListener("click", () => signOut());
  byId("retry").addEventListener("click", () => connection?.open());
  byId("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    localStorage.setItem("convex.theme", (document.documentElement.dataset.theme = dark ? "light" : "dark"));
  });
  addEventListener("keydown", onKey);
  addEventListener("hashchange", enter);
  chooseStatus("open");
}

function onKey(press) {
  if (byId("board").hidden || press.ctrlKey || press.metaKey || press.altKey || document.querySelector("dialog[open]")) return;
  if (press.target.matches("input, textarea, select")) return;
  const id = list.focused();
  if (press.key === "/") byId("search").focus();
  else if (press.key === "j") list.move(1);
  else if (press.key === "k") list.move(-1);
  else if (press.key === "a" && alerts.get(id)?.status === "firing") on.acknowledge(id);
  else if (press.key === "r" && id && alerts.get(id).status !== "resolved") on.resolve(id);
  else return;
  press.preventDefault();
}

function enter() {
  const before = api.credentials.get();
  api.credentials.takeFromAddress();
  if (connection && api.credentials.get() === before) return;
  connection?.close();
  connection = null;
  if (api.credentials.get()) start();
  else signOut();
}

const theme = localStorage.getItem("convex.theme");
if (theme) document.documentElement.dataset.theme = theme;
wire();
enter();
