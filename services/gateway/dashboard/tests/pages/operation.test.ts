import { describe, expect, test } from "vitest";
import { row } from "../../src/forms/matchers";
import { channelBody, emptyChannel, linesOf } from "../../src/pages/channels/form";
import { healthOf } from "../../src/pages/channels/health";
import { kept, milliseconds, path } from "../../src/pages/health/figures";
import { periodOf, standingOf, timetable } from "../../src/pages/jobs/standing";
import { rolesToGive } from "../../src/pages/settings/roles";
import { emptySilence, recurring, silenceBody } from "../../src/pages/silences/form";
import type { Delivery, Job } from "../../src/rest/types";

describe("a channel's form", () => {
  const named = { ...emptyChannel(), name: "On call" };

  test.each([
    ["email", { to: "a@example.com, b@example.com\n\n" }, { to: ["a@example.com", "b@example.com"] }],
    ["slack", { webhook_url: " https://hooks.slack.com/x " }, { webhook_url: "https://hooks.slack.com/x" }],
    ["webhook", { url: "https://example.com" }, { url: "https://example.com" }],
    ["in_app", {}, { user_ids: null }],
    ["in_app", { everyone: false, user_ids: "ann\nben" }, { user_ids: ["ann", "ben"] }],
  ] as const)("of %s becomes its configuration", (kind, filled, config) => {
    expect(channelBody({ ...named, kind, ...filled }, false)).toMatchObject({ body: { kind, config }, faults: {} });
  });

  test("keeps a stored secret by leaving it out", () => {
    expect(channelBody({ ...named, kind: "slack" }, true)).toMatchObject({ body: { config: {} }, faults: {} });
    expect(Object.keys(channelBody({ ...named, kind: "slack" }, false).faults)).toEqual(["config.webhook_url"]);
  });

  test("drops empty matchers and names those without a label", () => {
    const matchers = [row(), row({ name: "", op: "=", value: "x" })];
    const { body, faults } = channelBody({ ...named, to: "a@b", matchers }, false);
    expect(body.matchers).toEqual([{ name: "", op: "=", value: "x" }]);
    expect(Object.keys(faults)).toEqual(["matchers[0].name"]);
  });

  test("takes lines, commas and semicolons apart", () => {
    expect(linesOf(" a ;b,\n c,, ")).toEqual(["a", "b", "c"]);
  });
});

describe("a channel's health", () => {
  const delivery = (status: Delivery["status"], failures = 0): Delivery => ({
    id: "d",
    notification_id: "n",
    cause: "fired",
    alert_id: null,
    channel_id: "c",
    channel_name: "C",
    channel_kind: "email",
    status,
    failures,
    next_attempt_at: null,
    delayed_reason: null,
    last_error: failures > 0 ? "refused" : null,
    created_at: "2026-01-01T00:00:00Z",
    finished_at: status === "pending" ? null : "2026-01-01T00:00:01Z",
    attempts: [],
  });

  test.each<[string, Delivery[], string, string]>([
    ["nothing", [], "neutral", "nothing sent yet"],
    ["one on its way", [delivery("pending")], "neutral", "is on its way"],
    ["one that is tried again", [delivery("pending", 2)], "warning", "is being tried again"],
    ["a success", [delivery("delivered")], "good", "delivered"],
    [
      "a success after a failure",
      [delivery("delivered"), delivery("failed", 1)],
      "warning",
      "delivered; 1 of the last 2 not",
    ],
    ["a failure after a success", [delivery("quarantined", 5), delivery("delivered")], "error", "quarantined"],
  ])("of %s", (_, deliveries, tone, words) => {
    expect(healthOf(deliveries)).toMatchObject({ tone, words });
  });
});

describe("jobs", () => {
  const job = (changed: Partial<Job>): Job => ({
    name: "retention",
    schedule: "30 3 * * *",
    priority: "medium",
    runs_completed: 1,
    runs_skipped: 0,
    runs_failed: 0,
    last_run: "2026-01-02T03:30:05Z",
    last_status: "completed",
    last_success: "2026-01-02T03:30:05Z",
    last_duration_seconds: 5,
    last_error: null,
    next_run: "2026-01-03T03:30:00Z",
    running: false,
    overdue: false,
    suspended: false,
    suspended_source: null,
    suspended_by: null,
    suspended_since: null,
    pending_order: null,
    cron_job: null,
    ...changed,
  });

  test.each<[string, Partial<Job>, string]>([
    ["its last slot was done", {}, "completed"],
    ["it is under way", { running: true }, "running"],
    ["its last slot was missed", { overdue: true }, "overdue"],
    ["it is late and under way", { overdue: true, running: true }, "running"],
    ["its last slot failed a while ago", { overdue: true, last_status: "quarantined" }, "quarantined, overdue"],
    ["it is off", { suspended: true }, "suspended"],
    ["it never ran", { last_run: null, last_status: null }, "not run yet"],
    ["it failed", { last_status: "quarantined" }, "quarantined"],
  ])("%s", (_, changed, words) => {
    expect(standingOf(job(changed)).words).toBe(words);
  });

  test.each([
    ["*/30 * * * *", "every 30 minutes"],
    ["0 * * * *", "every hour"],
    ["0 */6 * * *", "every 6 hours"],
    ["30 3 * * *", "daily at 03:30 UTC"],
    ["0 3 * * 1", "0 3 * * 1"],
  ])("run by %s: %s", (schedule, words) => {
    expect(timetable(schedule)).toBe(words);
  });

  test("have no period where the timetable is beyond us", () => {
    expect(["", "x", "0 3 1 * *", "0,30 * * * *", "0 3 * * * *"].map(periodOf)).toEqual([null, null, null, null, null]);
  });
});

describe("figures", () => {
  test.each([
    [null, "–"],
    [0.25, "0.3 ms"],
    [94.4, "94 ms"],
    [1500, "1.5 s"],
    [59_900, "60 s"],
    [90_000, "1 min 30 s"],
  ])("%j milliseconds are %s", (value, words) => {
    expect(milliseconds(value)).toBe(words);
  });

  test("are kept to 120, what is not known as a gap", () => {
    const seen = Array.from({ length: 130 }).reduce<(number | null)[]>((some, _, index) => kept(some, index), []);
    expect([seen.length, seen[0], seen.at(-1)]).toEqual([120, 10, 129]);
    expect(kept([1], undefined)).toEqual([1, null]);
  });

  test("make a line that breaks at a gap and stays within its box", () => {
    expect(path([0, 10, null, 5])).toBe("M0 95L33.33 5M100 50");
    expect(path([null])).toBe("");
    expect(path([3, 3])).toBe("M0 5L100 5");
  });
});

test("nobody gives a role above their own", () => {
  expect(rolesToGive("admin")).toEqual(["viewer", "responder", "editor", "admin"]);
});

describe("a silence's form", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  const filled = { ...emptySilence([{ name: "team", op: "=", value: "shop" }], "Europe/Berlin"), comment: " release " };

  test("is of now, for an hour", () => {
    expect(silenceBody(filled, now)).toEqual({
      body: {
        matchers: [{ name: "team", op: "=", value: "shop" }],
        starts_at: "2026-03-10T12:00:00.000Z",
        ends_at: "2026-03-10T13:00:00.000Z",
        comment: "release",
      },
      faults: {},
    });
  });

  test("recurs by the wall clock of a timezone", () => {
    const { body } = silenceBody({ ...filled, recurrence: "weekdays" }, now);
    expect(body).toMatchObject({ rrule: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", timezone: "Europe/Berlin" });
    expect(recurring(body.rrule)).toBe("Monday to Friday");
    expect([recurring(null), recurring("FREQ=MONTHLY")]).toEqual(["once", "FREQ=MONTHLY"]);
  });

  test.each([
    ["no matcher", { matchers: [row()] }, "matchers"],
    ["a matcher without a label", { matchers: [row({ name: "", op: "=", value: "x" })] }, "matchers[0].name"],
    ["no comment", { comment: "" }, "comment"],
    ["no length", { length: { amount: "", unit: "h" as const } }, "ends_at"],
    ["an end that is past", { from: "2026-03-01T00:00" }, "ends_at"],
    ["a start that is none", { from: "soon" }, "starts_at"],
  ])("tells of %s", (_, changed, field) => {
    expect(Object.keys(silenceBody({ ...filled, ...changed }, now).faults)).toContain(field);
  });
});
