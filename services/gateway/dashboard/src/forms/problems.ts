/** What is wrong with a form, by the field's path as the API names it: `name`, `config.to[2]`, `matchers[0].value`. */
export type Faults = Readonly<Record<string, string>>;

export const NO_FAULTS: Faults = {};

interface Named {
  field: string;
  message: string;
}

/** The fields that a refusal names; none for any other error. */
export function faultsIn(error: unknown): Faults {
  const problem = (error as { problem?: unknown } | null)?.problem;
  const listed = (problem as { errors?: unknown } | null | undefined)?.errors;
  if (!Array.isArray(listed)) return NO_FAULTS;
  const faults: Record<string, string> = {};
  for (const { field, message } of listed.filter(isNamed)) faults[field] ??= sentence(message);
  return faults;
}

/** The fault of a field, or else the first of what is within it: `config.to` takes that of `config.to[2]` as well. */
export function faultOf(faults: Faults, field: string): string | undefined {
  if (faults[field] !== undefined) return faults[field];
  const within = Object.keys(faults).find((name) => name.startsWith(`${field}.`) || name.startsWith(`${field}[`));
  if (within === undefined) return undefined;
  const place = /^\[(\d+)\]/.exec(within.slice(field.length));
  return place === null ? faults[within] : `Number ${Number(place[1]) + 1}: ${lower(faults[within] ?? "")}`;
}

/** What no field of the form takes, so that the form has to say it as a whole. */
export function unplaced(faults: Faults, fields: readonly string[]): string[] {
  const taken = (name: string) =>
    fields.some((field) => name === field || name.startsWith(`${field}.`) || name.startsWith(`${field}[`));
  return Object.entries(faults)
    .filter(([name]) => !taken(name))
    .map(([name, message]) => (name === "" ? message : `${name}: ${lower(message)}`));
}

function isNamed(item: unknown): item is Named {
  const { field, message } = (item ?? {}) as Partial<Named>;
  return typeof field === "string" && typeof message === "string";
}

/** The API writes `must be above 0`, after the field's name; beside a field it is a sentence. */
function sentence(message: string): string {
  return message.slice(0, 1).toUpperCase() + message.slice(1);
}

function lower(message: string): string {
  return message.slice(0, 1).toLowerCase() + message.slice(1);
}
