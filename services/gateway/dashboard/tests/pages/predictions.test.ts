import { describe, expect, it } from "vitest";
import { figure, horizon, percent } from "../../src/pages/insights/foretold";

describe("what is foretold, in words", () => {
  it.each([
    [0, "0 %"],
    [0.002, "< 1 %"],
    [0.01, "1 %"],
    [0.416, "42 %"],
    [0.998, "> 99 %"],
    [1, "100 %"],
  ])("a probability of %s is %s", (probability, words) => {
    expect(percent(probability)).toBe(words);
  });

  it.each([
    [3600, "1 hour"],
    [14_400, "4 hours"],
    [86_400, "1 day"],
    [604_800, "7 days"],
  ])("%s seconds are %s", (seconds, words) => {
    expect(horizon(seconds)).toBe(words);
  });

  it("says of no score that there is none", () => {
    expect(figure(null)).toBe("–");
    expect(figure(0.0808)).toBe("0.081");
  });
});
