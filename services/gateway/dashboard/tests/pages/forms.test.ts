import { describe, expect, test } from "vitest";
import { labelsOf, pair } from "../../src/forms/labels";
import { lengthOf, numberOf, said, secondsOf } from "../../src/forms/length";
import { matchersIn, matchersOf, parsed, written } from "../../src/forms/matchers";
import { faultOf, faultsIn, unplaced } from "../../src/forms/problems";

describe("lengths", () => {
  test.each([
    [0, "0", "min"],
    [45, "45", "s"],
    [90, "90", "s"],
    [300, "5", "min"],
    [5400, "90", "min"],
    [7200, "2", "h"],
    [172_800, "2", "d"],
  ] as const)("%d seconds are %s %s and back", (seconds, amount, unit) => {
    expect(lengthOf(seconds)).toEqual({ amount, unit });
    expect(secondsOf({ amount, unit })).toBe(seconds);
  });

  test.each([
    ["", null],
    ["five", null],
    ["-1", null],
    ["0.5", 30],
    ["1,5", 90],
    ["0.001", null],
  ])("%j minutes are %j seconds", (amount, seconds) => {
    expect(secondsOf({ amount, unit: "min" })).toBe(seconds);
  });

  test.each([
    [0, "0 s"],
    [59, "59 s"],
    [300, "5 min"],
    [5400, "1 h 30 min"],
    [90_061, "1 day 1 h 1 min 1 s"],
  ])("%d seconds are said as %s", (seconds, words) => {
    expect(said(seconds)).toBe(words);
  });

  test.each([
    ["0x10", null],
    ["1e400", null],
    [" 12.5 ", 12.5],
    ["-3", -3],
    ["1e3", 1000],
    ["1 000", null],
    [".", null],
  ])("%j is the number %j", (typed, number) => {
    expect(numberOf(typed)).toBe(number);
  });
});

describe("matchers", () => {
  test.each([
    { name: "team", op: "=", value: "shop" },
    { name: "env", op: "=~", value: "prod|stage" },
    { name: "note", op: "!=", value: 'a "quoted" = value\nof two lines' },
    { name: "empty", op: "!~", value: "" },
    { name: "größe", op: "=", value: "<script>" },
  ] as const)("$name$op$value survive being written", (matcher) => {
    expect(parsed(written(matcher))).toEqual(matcher);
  });

  test.each([
    ["team=shop", { name: "team", op: "=", value: "shop" }],
    ['  team =~ "s.*" ', { name: "team", op: "=~", value: "s.*" }],
    ["team", null],
    ["=shop", null],
    ['team="shop', null],
    ['team=sh"op', null],
  ])("%j is read as %j", (line, matcher) => {
    expect(parsed(line)).toEqual(matcher);
  });

  test("of an alert are its rule and its labels, and survive an address", () => {
    const matchers = matchersOf({ rule_name: 'Slow "checkout"', labels: { region: "eu" } });
    expect(matchers.map(written)).toEqual(['rule_name="Slow \\"checkout\\""', 'region="eu"']);
    expect(matchersIn(matchers.map(written))).toEqual(matchers);
    expect(matchersOf({ rule_name: "", labels: {} })).toEqual([]);
  });

  test("come out of an address, one or several, without what is none", () => {
    expect(matchersIn(['a="1"', "nothing", 7])).toEqual([{ name: "a", op: "=", value: "1" }]);
    expect(matchersIn("a=1")).toHaveLength(1);
    expect(matchersIn(undefined)).toEqual([]);
  });
});

describe("labels", () => {
  test("leave out empty rows, and trim names alone", () => {
    expect(labelsOf([pair(" team ", " shop"), pair()])).toEqual({ labels: { team: " shop" }, fault: null });
  });

  test("may be called like what every object has", () => {
    const { labels } = labelsOf([pair("__proto__", "x"), pair("constructor", "y")]);
    expect(Object.entries(labels)).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
  });

  test.each([
    ["a name twice", [pair("a", "1"), pair("a ", "2")], "a is there twice."],
    ["a value without a name", [pair("", "1")], 'The value "1" has no name.'],
  ])("tell of %s", (_, pairs, fault) => {
    expect(labelsOf(pairs).fault).toBe(fault);
  });
});

describe("what the server refused", () => {
  const error = {
    problem: {
      errors: [
        { field: "name", message: "should have at least 1 character" },
        { field: "config.to[2]", message: "is no mailbox" },
        { field: "", message: "needs a framework" },
        { field: "kind", message: "is unknown here" },
      ],
    },
  };

  test("goes to the fields that it names", () => {
    const faults = faultsIn(error);
    expect(faultOf(faults, "name")).toBe("Should have at least 1 character");
    expect(faultOf(faults, "config.to")).toBe("Number 3: is no mailbox");
    expect(faultOf(faults, "metric")).toBeUndefined();
    expect(unplaced(faults, ["name", "config.to"])).toEqual(["Needs a framework", "kind: is unknown here"]);
  });

  test.each([null, new Error("away"), { problem: { errors: "x" } }, { problem: { errors: [{}, null, 3] } }])(
    "names none in %j",
    (other) => {
      expect(faultsIn(other)).toEqual({});
    },
  );
});
