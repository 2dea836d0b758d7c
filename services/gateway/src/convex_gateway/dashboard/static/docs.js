// Shows what /openapi.json says: every operation with the role that it takes, what it reads and what it answers.

import { byId, element, setText } from "./dom.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const LIMITS = {
  minimum: "≥", exclusiveMinimum: ">", maximum: "≤", exclusiveMaximum: "<", minLength: "at least", maxLength: "at most",
  minItems: "at least", maxItems: "at most", default: "default", pattern: "pattern", format: "",
};

// Words in which `names` are marked as Markdown does.
const marked = (text) => (text ?? "").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
const nameOf = (reference) => reference.split("/").at(-1);

// A schema in a line: names of shapes are links, everything else is said as TypeScript would.
function brief(schema) {
  if (!schema || Object.keys(schema).length === 0) return ["any"];
  if (schema.$ref) return [element("a", { href: `#shape-${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (schema.enum) return joined(schema.enum.map((value) => [JSON.stringify(value)]));
  const choices = schema.anyOf ?? schema.oneOf ?? (schema.allOf?.length > 1 ? null : schema.allOf);
  if (choices) return joined(choices.map(brief));
  if (schema.type === "array") return ["list of ", ...brief(schema.items)];
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return ["text → ", ...brief(schema.additionalProperties)];
  }
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type ?? "any";
  return [schema.format ? `${type} (${schema.format})` : type];
}

const joined = (parts) => parts.flatMap((part, index) => (index ? [" | ", ...part] : part));

function limits(schema) {
  const told = (schema.anyOf ?? [schema]).flatMap((one) => Object.entries(LIMITS)
    .filter(([name]) => name in one && name !== "format")
    .map(([name, word]) => `${word} ${typeof one[name] === "object" ? JSON.stringify(one[name]) : one[name]}`));
  return told.join(", ");
}

function table(rows) {
  return element("table", {}, element("tbody", {}, ...rows.map(([name, needed, schema, told]) =>
    element("tr", {},
      element("th", { scope: "row" }, element("code", {}, name), needed ? element("span", { class: "needed" }, " required") : null),
      element("td", {}, ...brief(schema)),
      element("td", { class: "muted" }, ...marked([told, limits(schema ?? {})].filter(Boolean).join("; ")))))));
}

const contentOf = (holder) => Object.entries(holder?.content ?? {});

function operation(path, method, told) {
  const role = told["x-required-role"];
  const body = contentOf(told.requestBody);
  const parameters = told.parameters ?? [];
  return element("details", { class: "operation", id: told.operationId },
    element("summary", {},
      element("span", { class: "method", data: { method } }, method.toUpperCase()), element("code", {}, path),
      element("span", { class: "summary" }, told.summary ?? ""), role ? element("span", { class: "role" }, role) : null),
    told.description ? element("p", {}, ...marked(told.description)) : null,
    parameters.length ? element("h3", {}, "Parameters") : null,
    parameters.length ? table(parameters.map((one) => [`${one.name} (${one.in})`, one.required, one.schema, one.description])) : null,
    body.length ? element("h3", {}, "Body") : null,
    ...body.map(([type, { schema }]) => element("p", {}, element("code", {}, type), ": ", ...brief(schema))),
    element("h3", {}, "Answers"),
    element("table", {}, element("tbody", {}, ...Object.entries(told.responses).map(([status, answer]) =>
      element("tr", {},
        element("th", { scope: "row" }, element("code", {}, status)),
        element("td", {}, ...marked(answer.description)),
        element("td", {}, ...contentOf(answer).flatMap(([, { schema }]) => brief(schema))))))));
}

function shape(name, schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {});
  return element("details", { class: "operation", id: `shape-${name}` },
    element("summary", {}, element("code", {}, name), element("span", { class: "summary" }, ...marked(schema.description))),
    fields.length ? table(fields.map(([field, one]) => [field, required.has(field), one, one.description]))
      : element("p", {}, ...brief(schema)));
}

function openTarget() {
  const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.open = true;
  target.scrollIntoView();
}

async function show() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  const api = await answer.json();
  setText(byId("version"), api.info.version);
  byId("about").replaceChildren(...marked(api.info.description));
  const tags = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => one in item)) {
      const tag = item[method].tags?.[0] ?? "other";
      tags.set(tag, [...(tags.get(tag) ?? []), operation(path, method, item[method])]);
    }
  }
  byId("operations").replaceChildren(...[...tags].map(([tag, operations]) =>
    element("section", {}, element("h2", {}, tag), ...operations)));
  byId("shapes").replaceChildren(...Object.entries(api.components.schemas)
    .sort(([a], [b]) => a.localeCompare(b)).map(([name, schema]) => shape(name, schema)));
  byId("shapes-title").hidden = false;
  openTarget();
}

// As the dashboard's reader chose.
const theme = localStorage.getItem("convex.theme");
if (theme) document.documentElement.dataset.theme = theme;
byId("find").addEventListener("input", ({ target }) => {
  const words = target.value.trim().toLowerCase();
  for (const one of document.querySelectorAll(".operation")) {
    one.hidden = words !== "" && !one.textContent.toLowerCase().includes(words);
  }
  for (const section of document.querySelectorAll("#operations section")) {
    section.hidden = section.querySelector(".operation:not([hidden])") === null;
  }
});
addEventListener("hashchange", openTarget);
show().catch((error) => {
  setText(byId("problem"), error.message);
  byId("problem").hidden = false;
});
