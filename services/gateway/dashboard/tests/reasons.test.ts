import type { TimelineEntry } from "@convex-alerts/client";
import { expect, test } from "vitest";
import { because, momentsOf } from "../src/alerts/reasons";

const at = "2026-01-01T00:00:00Z";
const log = (given: object): TimelineEntry =>
  ({
    kind: "log",
    id: "l",
    at,
    event: "created",
    reason: "first_trigger",
    count: 1,
    actor: null,
    event_ids: [],
    offset: 1,
    detail: {},
    trace_id: null,
    ...given,
  }) as TimelineEntry;

test("says why nobody was told, and once for what repeats itself", () => {
  const folds = ["a", "b", "c"].map((id) => log({ id, event: "suppressed", reason: "duplicate", count: 2 }));
  const [moment, ...rest] = momentsOf(folds);
  expect(rest).toEqual([]);
  expect(moment).toMatchObject({
    title: "Nobody was told",
    why: "it is a duplicate within the suppression window",
    count: 6,
    weight: "withheld",
  });
});

test("has a delivery's attempts with its notification, the newest moment first", () => {
  const delivery = { id: "d", channel_id: "c", channel_name: "On call", channel_kind: "slack", status: "failed" };
  const entries = [
    log({}),
    { kind: "notification", id: "n", at, cause: "fired", sequence: 1, reason: "first_trigger", deliveries: [delivery] },
    { kind: "attempt", id: "t", at, delivery_id: "d", number: 1, outcome: "failed", status_code: 500, error: "no" },
  ] as TimelineEntry[];
  const [told, created] = momentsOf(entries);
  expect(told?.attempts.map(({ id }) => id)).toEqual(["t"]);
  expect(told?.weight).toBe("trouble");
  expect(created?.title).toBe("Began to fire");
});

test("a reason that is not known yet says its name", () => {
  expect(because("something_new")).toBe("something new");
});

test("comments are not folded into one, and each has its words", () => {
  const said = (text: string) =>
    log({ event: "commented", reason: "commented_by_person", actor: "ada", detail: { text, notified: false } });
  const moments = momentsOf([said("it is the new index"), said("dropped it")]);
  expect(moments.map(({ title, why, notes }) => [title, why, notes])).toEqual([
    ["Commented by ada", "", "dropped it"],
    ["Commented by ada", "", "it is the new index"],
  ]);
});
