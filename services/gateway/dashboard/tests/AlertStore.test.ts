import type { Alert } from "@convex-alerts/client";
import { describe, expect, test, vi } from "vitest";
import { AlertStore } from "../src/live/AlertStore";
import { EVERYTHING_OPEN, type Filter, fits, ORDERS, SORTS, type Sort } from "../src/live/filter";
import { anAlert, below, numbers, shuffled } from "./examples";

const ALL: Filter = { ...EVERYTHING_OPEN, status: "all" };

function storeOf(filter: Filter = EVERYTHING_OPEN, sort: Sort = "newest"): AlertStore {
  const store = new AlertStore();
  store.show(filter, sort);
  store.flush();
  return store;
}

/** Versions of some alerts, as they change at the server. */
function history(random: () => number): Alert[][] {
  return Array.from({ length: 12 }, (_, index) => {
    const first = anAlert({ id: `0199-${index}`, triggered_at: new Date(1.7e12 + below(random, 1e6)).toISOString() });
    const versions = [first];
    for (let count = below(random, 5); count > 0; count -= 1) {
      const before = versions.at(-1) ?? first;
      const status = (["firing", "acknowledged", "resolved"] as const)[below(random, 3)] ?? "firing";
      const severity = (["critical", "error", "warning", "info"] as const)[below(random, 4)] ?? "info";
      versions.push({ ...before, version: before.version + 1, status, severity, current_value: below(random, 100) });
    }
    return versions;
  });
}

describe("whatever the order in which REST and the feed bring it", () => {
  test.each(SORTS)("the list by %s is that of the last versions", (sort) => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const random = numbers(seed);
      const versions = history(random);
      const filter: Filter = { ...ALL, status: (["open", "firing", "resolved", "all"] as const)[seed % 4] ?? "all" };
      const store = storeOf(filter, sort);
      // Each alert arrives at least in its last version: by a page, the feed, or both, older ones before or after.
      const told = versions.flatMap((all) => [...all.filter(() => random() < 0.7), ...all.slice(-1)]);
      for (const alert of shuffled(told, random)) {
        store.take(alert);
        if (random() < 0.2) store.flush();
      }
      store.flush();
      const last = versions.flatMap((all) => all.slice(-1));
      const expected = last.filter((alert) => fits(alert, filter)).sort(ORDERS[sort]);
      expect(store.list(), `seed ${seed}`).toEqual(expected);
      expect(store.counts().open).toBe(last.filter(({ status }) => status !== "resolved").length);
    }
  });

  test("a reload drops what nobody told of, and keeps what the feed brought meanwhile", () => {
    const store = storeOf();
    const [gone, kept, fresh] = ["a", "b", "c"].map((id) => anAlert({ id }));
    if (!gone || !kept || !fresh) throw new Error("three alerts");
    store.take(gone);
    store.take(kept);
    store.reloading();
    store.take(fresh);
    store.take(kept);
    store.reloaded();
    store.flush();
    expect(
      store
        .list()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["b", "c"]);
    expect(store.counts().open).toBe(2);
  });
});

describe("what a person does", () => {
  const firing = anAlert({ id: "a" });

  test("is seen at once and taken back", () => {
    const store = storeOf();
    store.take(firing);
    const undo = store.wish("a", { status: "acknowledged", acknowledged_by: "me" });
    expect(store.get("a")?.status).toBe("acknowledged");
    expect(store.told("a")).toBe(firing);
    undo();
    expect(store.get("a")).toBe(firing);
  });

  test("stays seen while the feed brings another occurrence", () => {
    const store = storeOf();
    store.take(firing);
    const undo = store.wish("a", { status: "resolved" });
    store.take({ ...firing, version: 2, occurrences: 2 });
    store.flush();
    expect(store.list()).toEqual([]);
    undo();
    store.flush();
    expect(store.list().map(({ occurrences }) => occurrences)).toEqual([2]);
  });
});

describe("for the page", () => {
  test("what did not change is the same object, and a flush without a change tells nobody", () => {
    const store = storeOf();
    const alerts = Array.from({ length: 50 }, (_, index) => anAlert({ id: `a${index}` }));
    for (const alert of alerts) store.take(alert);
    store.flush();
    const before = store.list();
    const heard = vi.fn();
    store.subscribe(heard);
    expect(store.flush()).toBe(false);
    store.take({ ...before[10], version: 2 } as Alert);
    store.take({ ...before[20], version: 2 } as Alert);
    store.flush();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(store.list().filter((alert, index) => alert === before[index])).toHaveLength(48);
  });

  test("ten thousand alerts take a thousand changes without being sorted anew", () => {
    const { newest } = ORDERS;
    let compared = 0;
    ORDERS.newest = (a, b) => {
      compared += 1;
      return newest(a, b);
    };
    const store = storeOf();
    for (let index = 0; index < 10_000; index += 1) {
      store.take(anAlert({ id: `a${index}`, triggered_at: new Date(1.7e12 + index * 1000).toISOString() }));
    }
    compared = 0;
    for (let index = 0; index < 1000; index += 1) {
      const alert = store.told(`a${index * 7}`);
      if (alert) store.take({ ...alert, version: 2, current_value: index });
    }
    // One search among 10,000 is 14 comparisons.
    expect(compared / 1000).toBeLessThan(20);
    ORDERS.newest = newest;
  });
});
