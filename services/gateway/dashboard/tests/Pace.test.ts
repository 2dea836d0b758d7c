// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pace } from "../src/live/Pace";

let drawn: number;
let takes: number;
let spent: number;
let hidden: boolean;
let pace: Pace;
const now = () => performance.now() + spent;

beforeEach(() => {
  vi.useFakeTimers();
  drawn = takes = spent = 0;
  hidden = false;
  vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
  pace = new Pace(() => {
    drawn += 1;
    spent += takes;
  }, now);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

test("many changes are drawn once, in the next frame", () => {
  for (let change = 0; change < 100; change += 1) pace.ask();
  expect(drawn).toBe(0);
  vi.advanceTimersByTime(20);
  expect(drawn).toBe(1);
  vi.advanceTimersByTime(5000);
  expect(drawn).toBe(1);
});

test("what is drawn quickly is drawn in each frame", () => {
  for (let frame = 0; frame < 60; frame += 1) {
    pace.ask();
    vi.advanceTimersToNextFrame();
  }
  expect(drawn).toBe(60);
});

test("what takes long to draw leaves three quarters of the time to the reader", () => {
  takes = 50;
  const until = now() + 4000;
  while (now() < until) {
    pace.ask();
    vi.advanceTimersByTime(5);
  }
  expect(drawn * takes).toBeLessThanOrEqual(4000 / 4 + takes);
  expect(drawn * takes).toBeGreaterThan(4000 / 8);
});

test("a page that is put away goes on, slowly", () => {
  pace.ask();
  hidden = true;
  vi.stubGlobal("requestAnimationFrame", () => 0);
  vi.advanceTimersByTime(1100);
  expect(drawn).toBe(1);
  pace.ask();
  vi.advanceTimersByTime(1100);
  expect(drawn).toBe(2);
});

test("a page that is put away before its frame comes is drawn all the same", () => {
  vi.stubGlobal("requestAnimationFrame", () => 0);
  pace.ask();
  hidden = true;
  vi.advanceTimersByTime(1100);
  expect(drawn).toBe(1);
});
