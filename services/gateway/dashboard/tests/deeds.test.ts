import { describe, expect, test } from "vitest";
import {
  type Action,
  changes,
  conflict,
  type Deed,
  done,
  fieldsOf,
  isPossible,
  nameOf,
  refusals,
  wished,
} from "../src/live/deeds";
import { anAlert } from "./examples";

const ADA = { user_id: "auth0|7", name: "Ada" };
const LATER = "2030-01-01T09:00:00Z";
const NOW = new Date("2026-01-01T00:00:00Z");

test.each<[Action, string[]]>([
  ["acknowledge", ["firing"]],
  ["resolve", ["firing", "acknowledged"]],
  ["snooze", ["firing", "acknowledged"]],
  ["assign", ["firing", "acknowledged"]],
])("%s is possible while %j", (action, statuses) => {
  const possible = (["firing", "acknowledged", "resolved"] as const).filter((status) =>
    isPossible(action, anAlert({ status })),
  );
  expect(possible).toEqual(statuses);
});

describe("what is so already is not asked for", () => {
  test.each<[string, Deed, Parameters<typeof anAlert>[0], boolean]>([
    ["a snooze of one that is not snoozed", { action: "snooze", until: LATER }, {}, true],
    ["another end of a snooze", { action: "snooze", until: LATER }, { snoozed_until: LATER }, true],
    ["the end of a snooze", { action: "snooze", until: null }, { snoozed_until: LATER }, true],
    ["the end of none", { action: "snooze", until: null }, {}, false],
    ["an assignment", { action: "assign", to: ADA }, { assigned_to: "bob" }, true],
    ["the same assignment", { action: "assign", to: ADA }, { assigned_to: ADA.user_id }, false],
    ["taking it from somebody", { action: "assign", to: null }, { assigned_to: "bob" }, true],
    ["taking it from nobody", { action: "assign", to: null }, { assigned_to: null }, false],
    ["a snooze of one that is resolved", { action: "snooze", until: LATER }, { status: "resolved" }, false],
  ])("%s", (_, deed, given, expected) => {
    expect(changes(deed, anAlert(given))).toBe(expected);
  });
});

test("a deed is shown before the server agrees, and is sent with its fields", () => {
  const seen = (deed: Deed) => ({ ...anAlert({ snoozed_until: LATER }), ...wished(deed, "me", NOW) });
  expect(seen({ action: "acknowledge" })).toMatchObject({ status: "acknowledged", snoozed_until: null });
  expect(seen({ action: "snooze", until: LATER })).toMatchObject({ snoozed_until: LATER, snoozed_by: "me" });
  expect(seen({ action: "snooze", until: null })).toMatchObject({ snoozed_until: null, snoozed_by: null });
  expect(seen({ action: "assign", to: ADA })).toMatchObject({ assigned_to: ADA.user_id, snoozed_until: LATER });
  expect(fieldsOf({ action: "resolve", notes: "" })).toEqual({});
  expect(fieldsOf({ action: "snooze", until: null })).toEqual({ until: null });
  expect(fieldsOf({ action: "assign", to: ADA })).toEqual({ user_id: ADA.user_id });
  expect(fieldsOf({ action: "assign", to: null })).toEqual({ user_id: null });
});

describe("what others did meanwhile", () => {
  const seen = anAlert({ snoozed_until: null, assigned_to: null });
  const snooze: Deed = { action: "snooze", until: LATER };
  const assign: Deed = { action: "assign", to: ADA };
  test.each<[string, Deed, Parameters<typeof anAlert>[0], RegExp | null]>([
    ["one more occurrence is nothing", snooze, { occurrences: 2, version: 2 }, null],
    ["a resolve", assign, { status: "resolved", resolved_by: "bob" }, /resolved by bob/],
    ["another snooze", snooze, { snoozed_until: LATER, snoozed_by: "bob" }, /snoozed until .* by bob/],
    ["a snooze is nothing to an assignment", assign, { snoozed_until: LATER }, null],
    ["another assignment", assign, { assigned_to: "bob" }, /assigned to bob/],
    ["an assignment is nothing to a snooze", snooze, { assigned_to: "bob" }, null],
  ])("%s", (_, deed, given, told) => {
    const found = conflict(deed, seen, { ...seen, ...given });
    if (told === null) expect(found).toBeNull();
    else expect(found).toMatch(told);
  });

  test("an end of what was seen is told too", () => {
    const asleep = { ...seen, snoozed_until: LATER, assigned_to: "bob" };
    expect(conflict(snooze, asleep, seen)).toMatch(/has ended/);
    expect(conflict(assign, asleep, seen)).toMatch(/taken from its assignee/);
  });
});

test("what became of it follows a count", () => {
  expect(done({ action: "snooze", until: null })).toBe("no longer snoozed");
  expect(done({ action: "assign", to: ADA })).toBe("assigned to Ada");
  expect(done({ action: "assign", to: null })).toBe("assigned to nobody in particular");
});

describe("those that stay as they are", () => {
  test("are told by name, each reason once", () => {
    expect(nameOf(anAlert({ title: "slow", labels: {} }))).toBe("slow");
    expect(nameOf(anAlert({ title: "slow", labels: { a: "1", b: "2", c: "3" } }))).toBe("slow (a=1, b=2)");
    const refused = [
      { name: "slow (host=a)", reason: "it is resolved" },
      { name: "slow (host=b)", reason: "it is gone." },
      { name: "slow (host=c)", reason: "it is resolved" },
    ];
    expect(refusals(refused)).toBe(
      "3 stay as they are. It is resolved: slow (host=a), slow (host=c). It is gone: slow (host=b).",
    );
  });

  test("are counted beyond the first five", () => {
    const refused = ["a", "b", "c", "d", "e", "f", "g"].map((name) => ({ name, reason: "no" }));
    expect(refusals(refused)).toBe("7 stay as they are. No: a, b, c, d, e and 2 more.");
    expect(refusals(refused.slice(0, 1))).toBe("1 stays as it is. No: a.");
  });
});
