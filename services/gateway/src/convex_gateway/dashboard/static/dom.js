// Elements and words. Text goes in by textContent only, so nothing that an alert says can become markup.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-") || name === "role" || name === "datetime") made.setAttribute(name, value);
    else made[name] = value;
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) made.append(child);
  }
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const numbers = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
export const number = (value) => (value === null || value === undefined ? "–" : numbers.format(value));

const STEPS = [[60, 1, "s"], [3600, 60, "m"], [86400, 3600, "h"], [Infinity, 86400, "d"]];
export function age(time, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  const [, unit, letter] = STEPS.find(([below]) => seconds < below);
  return `${Math.floor(seconds / unit)}${letter}`;
}

export function moment(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

export const words = (name) => String(name ?? "").replaceAll("_", " ");
