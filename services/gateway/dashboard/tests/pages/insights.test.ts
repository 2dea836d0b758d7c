import { expect, test } from "vitest";
import { compared, daysUntil, levelOf, seconds, share } from "../../src/pages/insights/figures";

test("the most has the darkest step, one alert has the lightest, none has none", () => {
  expect([0, 1, 20, 21, 99, 100].map((count) => levelOf(count, 100))).toEqual([0, 1, 1, 2, 5, 5]);
  expect(levelOf(0, 0)).toBe(0);
});

test("what is not known is a dash", () => {
  expect([share(null), share(0), share(0.034), share(0.815)]).toEqual(["–", "0 %", "3.4 %", "82 %"]);
  expect([seconds(null), seconds(90)]).toEqual(["–", "1 min 30 s"]);
});

test("compares with the period before, in words", () => {
  expect(compared(15, 10)).toBe("50 % more than before");
  expect(compared(5, 10)).toBe("50 % less than before");
  expect([compared(10, 10), compared(0, 0), compared(3, 0), compared(3, null)]).toEqual([
    "as before",
    "as before",
    "none before",
    "",
  ]);
});

test("days are those of a zone, over a change of its clocks too", () => {
  const now = new Date("2026-03-29T22:30:00Z");
  expect(daysUntil(now, 7, "Europe/Berlin")).toEqual({ from: "2026-03-24", to: "2026-03-30" });
  expect(daysUntil(now, 7, "UTC")).toEqual({ from: "2026-03-23", to: "2026-03-29" });
});
