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
  refused: () => "No live updates: refused",
  failed: (seconds) => `Cannot load, trying again in ${seconds} s`,
};
const FAILURES = {
  refused: "The identity provider did not sign you in.",
  expired: "That took too long, or began in another browser. Try again.",
  unavailable: "Signing in does not work right now. Try again later.",
  "too-many": "Too many have tried to sign in from here. Wait a minute, then try again.",
  "no-member": "You are signed in at the identity provider, but no workspace here has you as a member. Ask an admin to add you.",
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
  byId("retry").hidden = state !== "reconnecting" && state !== "refused";
}

async function start(message = "") {
  const mine = (session += 1);
  byId("sign-in").hidden = true;
  for (const id of ["board", "connection", "sign-out"]) byId(id).hidden = false;
  show("connecting");
  for (let tries = 0; mine === session; tries += 1) {
    try {
      const { session: who, ways } = await api.session();
      if (mine !== session) return;
      if (!who) return signedOut(message, ways);
      introduce(who);
      await loadFrameworks();
      const since = await load();
      if (mine !== session) return;
      connection = new Connection(since, {
        state: show, alert: take, refused, reload: () => load().catch((error) => problem(error.message)),
      });
      return openNamed();
    } catch (error) {
      if (mine !== session) return;
      if (error.status === 401 || error.status === 403) return signedOut(error.message);
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

// Who it is, and where: a choice, for who is at home in several workspaces.
function introduce({ workspace, workspaces, name, user_id: id }) {
  const several = workspaces.length > 1;
  setText(byId("workspace"), workspace.name);
  byId("workspace").hidden = several;
  byId("workspaces").hidden = !several;
  byId("workspaces").replaceChildren(...workspaces.map((one) => element("option", { value: one.id }, one.name)));
  byId("workspaces").value = workspace.id;
  byId("sign-out").title = `Signed in as ${name || id}`;
}

// What e-mails and chat messages link to: /#alert=ID.
async function openNamed() {
  const id = new URLSearchParams(location.hash.slice(1)).get("alert");
  if (!id) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    drawer.open(alerts.get(id) ?? await api.alert(id));
  } catch (error) {
    problem(error.status === 404 ? "The alert of this link is not in this workspace." : error.message);
  }
}

// The socket was not let in: the session has ended, or else it is something that a person has to see to.
async function refused(message) {
  const { session: who, ways } = await api.session().catch(() => ({ session: true }));
  if (!who) return signedOut(message, ways);
  show("refused");
  problem(message);
}

async function signOut() {
  try {
    await api.signOut();
  } catch (error) {
    if (error.status !== 401) return problem(`You are still signed in. ${error.message}`);
  }
  start();
}

async function switchWorkspace(id) {
  try {
    await api.switchTo(id);
    location.reload();
  } catch (error) {
    problem(error.message);
  }
}

function signedOut(message = "", ways = null) {
  session += 1;
  connection?.close();
  connection = null;
  loaded = false;
  alerts.clear();
  render();
  byId("drawer").close();
  byId("resolve").close();
  for (const id of ["board", "connection", "sign-out", "workspace", "workspaces"]) byId(id).hidden = true;
  byId("sign-in").hidden = false;
  const oidc = ways?.includes("oidc");
  if (ways) byId("oidc").hidden = !oidc;
  byId("oidc").href = `/auth/oidc/login?to=${encodeURIComponent(`/${location.hash}`)}`; // the alert that a link named
  setText(byId("sign-in-error"), message);
  byId(oidc ? "oidc" : "token").focus();
}

async function act(action) {
  problem("");
  try {
    take("acted", await action());
    return "";
  } catch (error) {
    if (error.status === 401) start(error.message);
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
  byId("sign-in-form").addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const token = byId("token").value.trim();
    byId("token").value = "";
    setText(byId("sign-in-error"), "");
    try {
      await api.signIn(token);
      start();
    } catch (error) {
      setText(byId("sign-in-error"), error.message);
    }
  });
  byId("workspaces").addEventListener("change", (change) => switchWorkspace(change.target.value));
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
  addEventListener("hashchange", () => connection && openNamed());
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

// What went wrong at the identity provider is told in the fragment, which leaves the address bar at once.
function failure() {
  const code = new URLSearchParams(location.hash.slice(1)).get("sign-in");
  if (code === null) return "";
  history.replaceState(null, "", location.pathname + location.search);
  return FAILURES[code] ?? FAILURES.refused;
}

const theme = localStorage.getItem("convex.theme");
if (theme) document.documentElement.dataset.theme = theme;
wire();
start(failure());
