import { describe, expect, test } from "vitest";
import { EVERYTHING_OPEN, filterOf, fits, searchOf } from "../src/live/filter";
import { anAlert } from "./examples";

const ALERT = anAlert({ severity: "critical", framework_id: "shop", labels: { region: "eu-west-1", path: "/Cart" } });

describe("an alert", () => {
  test.each([
    ["open", {}, true],
    ["of another status", { status: "resolved" as const }, false],
    ["of the severities", { severity: ["error", "critical"] }, true],
    ["of other severities", { severity: ["info"] }, false],
    ["of the framework", { framework: "shop" }, true],
    ["of another framework", { framework: "other" }, false],
    ["of another type", { type: "anomaly" }, false],
    ["with every word", { text: "ORDERS region=eu" }, true],
    ["with a label's value", { text: "/cart" }, true],
    ["without one of the words", { text: "orders nowhere" }, false],
  ])("%s", (_, part, expected) => {
    expect(fits(ALERT, { ...EVERYTHING_OPEN, ...part })).toBe(expected);
  });
});

describe("an address", () => {
  test("says nothing where all is as usual", () => {
    expect(searchOf({ status: "open", sort: "newest", q: "", severity: "" })).toEqual({});
  });

  test("is read as it was written", () => {
    const search = searchOf({
      status: "all",
      severity: "critical,info",
      framework: "f",
      type: "anomaly",
      q: "x y",
      sort: "value",
    });
    expect(searchOf({ ...search })).toEqual(search);
    expect(filterOf(search)).toEqual({
      status: "all",
      severity: ["critical", "info"],
      framework: "f",
      type: "anomaly",
      text: "x y",
    });
  });

  test("that somebody made up changes nothing", () => {
    expect(searchOf({ status: "<script>", severity: "constructor,__proto__", sort: 7, type: [], q: null })).toEqual({});
  });
});
