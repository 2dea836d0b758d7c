import { expect, test } from "vitest";
import { ownLabels, seriesOf, usualAt } from "../src/alerts/episodes";

const at = (minute: number) => `2026-03-02T00:${String(minute).padStart(2, "0")}:00Z`;

test("a point has the band that was expected last before it", () => {
  const usual = [
    { at: at(10), low: 1, high: 3 },
    { at: at(20), low: 2, high: 4 },
  ];
  const points = [5, 10, 15, 20, 25].map((minute) => ({ at: at(minute) }));
  expect(usualAt(points, usual)).toEqual([
    [null, 1, 1, 2, 2],
    [null, 3, 3, 4, 4],
  ]);
  expect(usualAt(points, [])).toEqual([Array(5).fill(null), Array(5).fill(null)]);
});

test("an alert's series is the one whose labels it has, whatever its rule adds", () => {
  const alert = { host: "a", team: "shop", region: "eu" };
  expect(ownLabels(alert, { team: "shop", region: "us" })).toEqual([
    ["host", "a"],
    ["region", "eu"],
  ]);
  const series = [{ host: "a", disk: "1" }, {}, { host: "a" }, { host: "a", region: "eu" }].map((labels) => ({
    labels,
  }));
  expect(seriesOf(series, alert)?.labels).toEqual({ host: "a", region: "eu" });
  expect(seriesOf(series, { team: "shop" })?.labels).toEqual({});
  expect(seriesOf(series.slice(0, 1), alert)).toBeUndefined();
});
