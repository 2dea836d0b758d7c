import type { Alert } from "@convex-alerts/client";
import { EVERYTHING_OPEN, type Filter, fits, ORDERS, type Sort } from "./filter";

/** What the feed and REST say is put together here. No elements, no clock, no network. */

export const isOpen = (alert: Alert): boolean => alert.status !== "resolved";
export type Severity = "critical" | "error" | "warning" | "info";
export type Counts = Readonly<Record<Severity, number>> & { readonly firing: number; readonly open: number };

/** As many are kept: what is beyond is the oldest that is resolved, and then the oldest at all. */
export const MOST = 20_000;

const NOTHING: Counts = { critical: 0, error: 0, warning: 0, info: 0, firing: 0, open: 0 };

/**
 * All alerts that are known, and one list of them that is kept in order while they change.
 *
 * An alert arrives by REST, by the feed and as the answer to what one did, in any order: the higher version counts, so
 * every interleaving ends the same. The list is changed in place, by binary search, and told to whoever subscribes at
 * most once per `flush`, which the page calls once per frame.
 */
export class AlertStore {
  readonly #known = new Map<string, Alert>();
  /** What a person did and the server has not answered yet. */
  readonly #wishes = new Map<string, Partial<Alert>>();
  readonly #listeners = new Set<() => void>();
  /** Ids that anything brought since `reloading`. */
  #touched: Set<string> | null = null;
  #filter: Filter = EVERYTHING_OPEN;
  #sort: Sort = "newest";
  #rows: Alert[] = [];
  #shown: readonly Alert[] = [];
  #counts: Counts = NOTHING;
  #tally = { ...NOTHING };
  #dirty = false;

  /** The list as it was at the last flush; the same array as long as nothing changed. */
  list = (): readonly Alert[] => this.#shown;
  counts = (): Counts => this.#counts;
  get size(): number {
    return this.#known.size;
  }

  /** The alert as it is to be seen: with what a person did, as if the server had agreed already. */
  get(id: string): Alert | undefined {
    const alert = this.#known.get(id);
    return alert === undefined ? undefined : this.#seen(alert);
  }

  /** The alert as the server last told it: what a change has to be based on. */
  told(id: string): Alert | undefined {
    return this.#known.get(id);
  }

  /** What is open in one framework, in no order. */
  openOf(framework: string): Alert[] {
    const found: Alert[] = [];
    for (const alert of this.#known.values()) {
      if (alert.framework_id === framework && isOpen(alert)) found.push(this.#seen(alert));
    }
    return found;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Takes what was told; an older version than the known one changes nothing. */
  take(alert: Alert): boolean {
    this.#touched?.add(alert.id);
    const before = this.#known.get(alert.id);
    if (before !== undefined && before.version >= alert.version) return false;
    this.#replace(alert.id, () => this.#known.set(alert.id, alert));
    if (this.#known.size > MOST) this.#shed();
    return true;
  }

  /** A load of all that is open begins: what it does not bring, and the feed neither, is gone when it ends. */
  reloading(): void {
    this.#touched = new Set();
  }

  reloaded(): void {
    const touched = this.#touched;
    this.#touched = null;
    if (touched !== null) for (const id of [...this.#known.keys()]) if (!touched.has(id)) this.#forget(id);
  }

  /** Shows a change before the server has agreed; `undo` takes it back, whatever came meanwhile. */
  wish(id: string, change: Partial<Alert>): () => void {
    this.#replace(id, () => this.#wishes.set(id, change));
    return () => {
      if (this.#wishes.get(id) === change) this.#replace(id, () => this.#wishes.delete(id));
    };
  }

  /** Another view of the same alerts: the one thing that sorts all of them. */
  show(filter: Filter, sort: Sort): void {
    if (filter === this.#filter && sort === this.#sort) return;
    this.#filter = filter;
    this.#sort = sort;
    this.#rows = [];
    for (const alert of this.#known.values()) {
      const seen = this.#seen(alert);
      if (fits(seen, filter)) this.#rows.push(seen);
    }
    this.#rows.sort(ORDERS[sort]);
    this.#dirty = true;
  }

  clear(): void {
    this.#known.clear();
    this.#wishes.clear();
    this.#rows = [];
    this.#tally = { ...NOTHING };
    this.#dirty = true;
    this.flush();
  }

  /** Tells what changed since the last time, once. */
  flush(): boolean {
    if (!this.#dirty) return false;
    this.#dirty = false;
    this.#shown = this.#rows.slice();
    this.#counts = { ...this.#tally };
    for (const listener of this.#listeners) listener();
    return true;
  }

  readonly #overlaid = new WeakMap<Alert, { wish: Partial<Alert>; seen: Alert }>();

  #seen(alert: Alert): Alert {
    const wish = this.#wishes.get(alert.id);
    if (wish === undefined) return alert;
    // The same object for the same alert and wish: rows are compared by identity.
    const made = this.#overlaid.get(alert);
    if (made?.wish === wish) return made.seen;
    const seen = { ...alert, ...wish };
    this.#overlaid.set(alert, { wish, seen });
    return seen;
  }

  /** Changes what is known of one alert, and its place in the list with it. */
  #replace(id: string, change: () => void): void {
    const before = this.get(id);
    change();
    const after = this.get(id);
    if (before === after) return;
    this.#dirty = true;
    if (before) this.#count(before, -1);
    if (after) this.#count(after, 1);
    const order = ORDERS[this.#sort];
    const wasAt = before && fits(before, this.#filter) ? this.#placeOf(before) : -1;
    const stays = after !== undefined && fits(after, this.#filter);
    if (wasAt >= 0 && before && stays && order(before, after) === 0) {
      this.#rows[wasAt] = after;
      return;
    }
    if (wasAt >= 0) this.#rows.splice(wasAt, 1);
    if (stays) this.#rows.splice(this.#placeOf(after), 0, after);
  }

  /** Where it stands in the list, or would stand. */
  #placeOf(alert: Alert): number {
    const order = ORDERS[this.#sort];
    let low = 0;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = this.#rows[middle];
      if (there !== undefined && order(there, alert) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #count(alert: Alert, by: number): void {
    if (!isOpen(alert)) return;
    const tally = this.#tally as { -readonly [name in keyof Counts]: number };
    tally.open += by;
    if (alert.status === "firing") tally.firing += by;
    if (alert.severity in tally) tally[alert.severity as Severity] += by;
  }

  #forget(id: string): void {
    this.#replace(id, () => {
      this.#known.delete(id);
      this.#wishes.delete(id);
    });
  }

  #shed(): void {
    const oldest = [...this.#known.values()].sort(
      (a, b) => Number(isOpen(a)) - Number(isOpen(b)) || ORDERS.newest(b, a),
    );
    for (const { id } of oldest.slice(0, Math.ceil(MOST / 20))) this.#forget(id);
  }
}
