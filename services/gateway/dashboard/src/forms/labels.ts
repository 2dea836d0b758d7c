/** Labels while one edits them: rows, which may be unfinished or doubled. */
export interface Pair {
  /** Tells the row from others as they come and go. */
  key: string;
  name: string;
  value: string;
}

let made = 0;

export function pair(name = "", value = ""): Pair {
  made += 1;
  return { key: `pair-${made}`, name, value };
}

export function pairsOf(labels: Readonly<Record<string, string>>): Pair[] {
  return Object.entries(labels).map(([name, value]) => pair(name, value));
}

/** The labels, and what is wrong with the rows; rows that are wholly empty do not count. */
export function labelsOf(pairs: readonly Pair[]): { labels: Record<string, string>; fault: string | null } {
  const labels = new Map<string, string>();
  for (const { name, value } of pairs) {
    const label = name.trim();
    if (label === "" && value === "") continue;
    if (label === "") return { labels: {}, fault: `The value ${JSON.stringify(value)} has no name.` };
    if (labels.has(label)) return { labels: {}, fault: `${label} is there twice.` };
    labels.set(label, value);
  }
  return { labels: Object.fromEntries(labels), fault: null };
}
