import { describe, expect, test } from "vitest";
import { gapped, type Point, preview } from "../../src/pages/rules/firing";
import {
  changedMeanwhile,
  changesOf,
  draftOf,
  emptyForm,
  formOf,
  ofType,
  type RuleDraft,
} from "../../src/pages/rules/form";
import { type Decision, sentence } from "../../src/pages/rules/sentence";

const DECISION: Decision = {
  metric: "checkout_ms",
  condition: "above",
  limit: 500,
  window_seconds: null,
  aggregation: null,
  for_seconds: 0,
  clear_value: null,
};

const RULE: RuleDraft = {
  framework_id: "f1",
  name: "Slow checkout",
  alert_type: "threshold",
  metric: "checkout_ms",
  condition: "above",
  threshold_value: 500,
  change_percentage: null,
  window_seconds: 300,
  aggregation: "avg",
  for_seconds: 60,
  clear_value: 400,
  sensitivity: null,
  heeds_verdicts: null,
  horizon_seconds: null,
  probability: null,
  suppression_seconds: 300,
  severity: "warning",
  labels: { team: "shop", env: "prod" },
  channel_ids: null,
  enabled: true,
};

describe("the sentence", () => {
  const said = (changed: Partial<Decision> & { suppression_seconds?: number }) =>
    sentence({ ...DECISION, severity: "warning", suppression_seconds: 300, ...changed });

  test.each([
    [
      "a window and a hold",
      { window_seconds: 300, aggregation: "avg" as const, for_seconds: 60, clear_value: 400 },
      "Warning when the average of checkout_ms over 5 min is above 500 for 1 min; clears at 400 or below.",
    ],
    [
      "an anomaly",
      { alert_type: "anomaly", condition: "changes_by" as const, limit: null },
      "Warning when checkout_ms is unusual for this hour; clears once three values in a row are usual.",
    ],
    [
      "an anomaly beyond a threshold",
      { alert_type: "anomaly" },
      "Warning when checkout_ms is unusually high for this hour, and above 500; clears once three values in a row are usual.",
    ],
    [
      "a forecast",
      { alert_type: "forecast", horizon_seconds: 7200, probability: 0.9 },
      "Warning when checkout_ms will be above 500 within 2 h, with a probability of 90 % or more; clears once that is expected no more.",
    ],
    ["single values", {}, "Warning when checkout_ms is above 500; clears at 500 or below."],
    [
      "below",
      { condition: "below" as const, limit: 0.5, clear_value: 0.75 },
      "Warning when checkout_ms is below 0.5; clears at 0.75 or above.",
    ],
    [
      "equals",
      { condition: "equals" as const, limit: 0 },
      "Warning when checkout_ms is exactly 0; clears as soon as it is anything else.",
    ],
    [
      "a change from value to value",
      { condition: "changes_by" as const, limit: 20 },
      "Warning when checkout_ms changes by 20 % or more from one value to the next; clears below 20 %.",
    ],
    [
      "a change within a window",
      { condition: "changes_by" as const, limit: 20, window_seconds: 5400, clear_value: 5 },
      "Warning when checkout_ms changes by 20 % or more within 1 h 30 min; clears at 5 % or less.",
    ],
    [
      "counting",
      { window_seconds: 60, aggregation: "count" as const, limit: 12500 },
      "Warning when the number of values of checkout_ms in 1 min is above 12,500; clears at 12,500 or below.",
    ],
    [
      "what is not filled in",
      { metric: " ", limit: null },
      "Warning when the metric is above …; clears at … or below.",
    ],
  ])("of %s", (_, changed, words) => {
    expect(said(changed)).toBe(`${words} The same alert notifies at most once in 5 min, unless it gets worse.`);
  });

  test("of a rule that is never quiet", () => {
    expect(said({ suppression_seconds: 0 })).toContain("Every trigger of an alert notifies.");
  });
});

const single = (...values: number[]): Point[] =>
  values.map((value, index) => ({ at: index * 60, min: value, max: value, avg: value, last: value, count: 1 }));

describe("the preview", () => {
  test.each<[string, Partial<Decision>, Point[], [number, number | null][]]>([
    ["fires above the limit and clears at it", {}, single(1, 501, 600, 500, 1), [[60, 180]]],
    ["is still firing at the end", {}, single(1, 501), [[60, null]]],
    ["stays firing down to the clear value", { clear_value: 400 }, single(501, 450, 401, 400), [[0, 180]]],
    ["waits for the hold", { for_seconds: 120 }, single(501, 501, 501, 1), [[120, 180]]],
    ["starts the hold anew after a dip", { for_seconds: 120 }, single(501, 501, 1, 501, 501, 501), [[300, null]]],
    ["never fires on the limit itself", {}, single(500, 500), []],
    ["fires below", { condition: "below", limit: 5 }, single(9, 4, 5), [[60, 120]]],
    ["fires on an exact value", { condition: "equals", limit: 0 }, single(1, 0, 1), [[60, 120]]],
    ["fires on a change of this or more", { condition: "changes_by", limit: 50 }, single(100, 150, 151), [[60, 120]]],
    ["takes any change from zero as endless", { condition: "changes_by", limit: 50 }, single(0, 1, 1), [[60, 120]]],
    [
      "averages a window",
      { window_seconds: 180, aggregation: "avg", limit: 5 },
      single(0, 0, 12, 12, 0, 0),
      [[180, 300]],
    ],
    ["sums a window", { window_seconds: 120, aggregation: "sum", limit: 3 }, single(2, 2, 1, 1), [[60, 120]]],
    ["has nothing to say without a limit", { limit: null }, single(501), []],
  ])("%s", (_, changed, points, spans) => {
    const found = preview({ ...DECISION, ...changed }, points).spans;
    expect(found.map(({ from, to }) => [from, to])).toEqual(spans);
  });

  test("takes the worst value of a span, but with a hold the mildest", () => {
    const mixed: Point[] = [0, 60, 120].map((at) => ({ at, min: 100, max: 900, avg: 300, last: 100, count: 9 }));
    expect(preview(DECISION, mixed).spans).toHaveLength(1);
    expect(preview({ ...DECISION, for_seconds: 60 }, mixed, 60).spans).toHaveLength(0);
  });

  test("takes a hold that is shorter than a span as none", () => {
    const mixed: Point[] = [0, 60].map((at) => ({ at, min: 100, max: 900, avg: 300, last: 100, count: 9 }));
    expect(preview({ ...DECISION, for_seconds: 2 }, mixed, 60).spans).toEqual([{ from: 0, to: null }]);
  });

  test("shows what it compared, and a gap where that is endless or missing", () => {
    const { compared } = preview({ ...DECISION, condition: "changes_by", limit: 50 }, single(0, 1, 2));
    expect(compared).toEqual([null, null, 100]);
  });
});

test("a line is broken where nothing was observed for long", () => {
  expect(gapped([0, 60, 120, 600], [1, 2, null, 4], 60)).toEqual({
    times: [0, 60, 120, 180, 600],
    values: [1, 2, null, null, 4],
  });
  expect(gapped([0, 240], [1, 2], 60).times).toEqual([0, 240]);
});

test("a line is drawn through values that come more seldom than spans do", () => {
  const seldom = [0, 120, 240, 360];
  expect(gapped(seldom, [1, 2, 3, 4], 15)).toEqual({ times: seldom, values: [1, 2, 3, 4] });
  expect(gapped([...seldom, 960], [1, 2, 3, 4, 5], 15).values).toEqual([1, 2, 3, 4, null, 5]);
});

describe("the form", () => {
  test("gives back the rule that it was filled with", () => {
    expect(draftOf(formOf(RULE))).toEqual({ draft: RULE, faults: {} });
    expect(changesOf(RULE, draftOf(formOf(RULE)).draft)).toEqual({});
  });

  test("sends what differs alone, labels in any order", () => {
    const form = { ...formOf(RULE), limit: "600" };
    form.labels.reverse();
    expect(changesOf(RULE, draftOf(form).draft)).toEqual({ threshold_value: 600 });
  });

  test("moves to a percentage with changes_by, and takes the threshold away", () => {
    const { draft } = draftOf({ ...formOf(RULE), condition: "changes_by", limit: "20", clear: "" });
    expect(changesOf(RULE, draft)).toEqual({
      condition: "changes_by",
      threshold_value: null,
      change_percentage: 20,
      aggregation: null,
      clear_value: null,
    });
  });

  test("names the fields that are wrong as the API names them", () => {
    const form = { ...emptyForm(""), limit: "many", windowed: true, window: { amount: "2", unit: "d" as const } };
    expect(Object.keys(draftOf(form).faults).sort()).toEqual([
      "framework_id",
      "metric",
      "name",
      "threshold_value",
      "window_seconds",
    ]);
  });

  test.each([
    ["above", "501", true],
    ["above", "500", false],
    ["below", "499", true],
    ["below", "500", false],
    ["changes_by", "-1", true],
    ["equals", "12", false],
  ] as const)("with %s takes a clear value of %s: %s", (condition, clear, wrong) => {
    const { faults } = draftOf({ ...formOf(RULE), condition, limit: "500", clear });
    expect("clear_value" in faults).toBe(wrong);
  });

  test("tells what somebody else changed", () => {
    expect(changedMeanwhile(RULE, { ...RULE, threshold_value: 1, name: "Other" })).toEqual(["name", "threshold"]);
  });
});

describe("a rule that learns", () => {
  test("an anomaly needs no limit, and says nothing of what other types say", () => {
    const form = { ...formOf(RULE), ...ofType("anomaly", "equals"), limit: "", sensitivity: "0.7" };
    const { draft, faults } = draftOf(form);
    expect(faults).toEqual({});
    expect(draft).toMatchObject({ condition: "changes_by", threshold_value: null, change_percentage: null });
    expect(draft).toMatchObject({ sensitivity: 0.7, window_seconds: null, aggregation: null, clear_value: null });
    expect(draftOf(formOf(draft)).draft).toEqual(draft);
    expect(draftOf({ ...form, sensitivity: "1" }).faults).toHaveProperty("sensitivity");
  });

  test("a forecast has a limit, a horizon and a probability", () => {
    const form = { ...formOf(RULE), ...ofType("forecast", "equals"), probability: "92.5" };
    const { draft, faults } = draftOf(form);
    expect(faults).toEqual({});
    expect(draft).toMatchObject({
      condition: "above",
      threshold_value: 500,
      horizon_seconds: 14_400,
      probability: 0.925,
    });
    expect(draft).toMatchObject({ for_seconds: 0, clear_value: null, window_seconds: null, sensitivity: null });
    expect(draftOf(formOf(draft)).draft).toEqual(draft);
    expect(draftOf({ ...form, limit: "" }).faults).toHaveProperty("threshold_value");
    expect(draftOf({ ...form, probability: "100" }).faults).toHaveProperty("probability");
  });
});
