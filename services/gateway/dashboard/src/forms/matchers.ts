/** Tests on labels, written as Alertmanager writes them: `team="shop"`, `env=~"prod|stage"`. */
export const OPERATORS = ["=", "!=", "=~", "!~"] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Matcher {
  name: string;
  op: Operator;
  value: string;
}

export const OPERATOR_WORDS: Record<Operator, string> = {
  "=": "is",
  "!=": "is not",
  "=~": "matches",
  "!~": "does not match",
};

const WRITTEN = /^\s*([^=!~\s"]+)\s*(=~|!=|!~|=)\s*(.*?)\s*$/s;

/** As one line. */
export function written({ name, op, value }: Matcher): string {
  return `${name}${op}${JSON.stringify(value)}`;
}

/** A line as a matcher, or null where it is none. The value may stand without quotes. */
export function parsed(line: string): Matcher | null {
  const found = WRITTEN.exec(line);
  if (found === null) return null;
  const [, name = "", op = "=", rest = ""] = found;
  const value = unquoted(rest);
  return value === null ? null : { name, op: op as Operator, value };
}

function unquoted(text: string): string | null {
  if (!text.startsWith('"')) return text.includes('"') ? null : text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : null;
  } catch {
    return null;
  }
}

/** Those that a page's address carries as `?matcher=`; what is none is left out. */
export function matchersIn(values: unknown): Matcher[] {
  const lines = Array.isArray(values) ? values : [values];
  return lines.flatMap((line) => (typeof line === "string" ? (parsed(line) ?? []) : []));
}

/** What a silence for an alert begins with: its rule, and each of its labels as it is. */
export function matchersOf(alert: { rule_name: string; labels: Readonly<Record<string, string>> }): Matcher[] {
  const labels = Object.entries(alert.labels).map(([name, value]) => ({ name, op: "=" as const, value }));
  return alert.rule_name === "" ? labels : [{ name: "rule_name", op: "=", value: alert.rule_name }, ...labels];
}

/** A matcher while one edits it. */
export interface MatcherRow extends Matcher {
  key: string;
}

let made = 0;

export function row(matcher: Matcher = { name: "", op: "=", value: "" }): MatcherRow {
  made += 1;
  return { ...matcher, key: `matcher-${made}` };
}

/** Rows as matchers; those that are wholly empty do not count. */
export function matchersOfRows(rows: readonly MatcherRow[]): Matcher[] {
  return rows
    .filter(({ name, value }) => name.trim() !== "" || value !== "")
    .map(({ name, op, value }) => ({ name: name.trim(), op, value }));
}
