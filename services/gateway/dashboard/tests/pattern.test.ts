import { expect, test } from "vitest";
import { basisOf, changeOf, previewOf, saidOf, timeOf } from "../src/pages/insights/pattern";
import type { Pattern, PatternPreview } from "../src/rest/types";

const found = (kind: Pattern["kind"], evidence: Record<string, unknown>): Pattern =>
  ({ kind, evidence, lead_rule_name: "database" }) as unknown as Pattern;

test.each([
  [
    found("seasonal", { start_seconds: 32_400, width_seconds: 3600, period_seconds: 86_400, share: 0.8, lift: 19.2 }),
    "80 % begin between 09:00 and 10:00, 19.2 times as many as without a rhythm.",
  ],
  [
    found("cyclical", { period_seconds: 26_400, kept: 40, of: 44 }),
    "It comes back every 7 h 20 min: 40 of 44 keep to that.",
  ],
  [
    found("triggered_by", {
      together: 40,
      of_this: 50,
      window_seconds: 600,
      expected: 0.42,
      lag_seconds: { p50: 240 },
    }),
    "40 of 50 follow database within 10 min, usually after 4 min; by chance 0.4 would.",
  ],
  [
    found("noisy", { reasons: { ends_by_itself: { count: 90, of: 100 } } }),
    "It ends by itself within 15 minutes (90 of 100).",
  ],
])("a pattern in a sentence", (pattern, said) => {
  expect(saidOf(pattern)).toBe(said);
});

test("a change in words", () => {
  expect(changeOf({ for_seconds: { from: 0, to: 120 } })).toBe("hold: 0 s → 2 min");
  expect(changeOf({ severity: { from: "error", to: "warning" } })).toBe("severity: error → warning");
  expect(changeOf({})).toBe("");
});

test("a time of the week", () => {
  expect(timeOf(86_400 + 3600, 604_800)).toBe("Tuesday 01:00");
});

const outcome = {
  fired: 40,
  alerts: 30,
  notified: 30,
  acknowledged: 5,
  useful: 0,
  false_alarms: 0,
  severity: "error",
} as const;
const quieter = { ...outcome, fired: 10, notified: 8 };
const since = "2026-03-01T00:00:00Z";
const preview: PatternPreview = {
  since,
  change: {},
  before: outcome,
  after: quieter,
  basis: "observations",
  why: null,
  series: 3,
  more: false,
  on_record: { since, before: outcome, after: { ...quieter, notified: 9 } },
};

test("a preview says what it was worked out from", () => {
  expect(previewOf(preview, Date.parse("2026-03-31T00:00:00Z"))).toBe(
    "In the last 30 d it fired 40 times and told people 30 times; it would have fired 10 times and told them 8 times. Of 5 that somebody acknowledged 5 would be left.",
  );
  expect(basisOf(preview)).toBe(
    "Decided anew on the observations of 3 series. By the alerts on record of eight weeks: told 9 times instead of 30.",
  );
  expect(basisOf({ ...preview, series: 20, more: true })).toMatch(/of the 20 series observed last\./);
  expect(basisOf({ ...preview, basis: "alerts", why: "no observation of the rule's metric is kept" })).toBe(
    "Counted on the alerts on record, since no observation of the rule's metric is kept.",
  );
});
