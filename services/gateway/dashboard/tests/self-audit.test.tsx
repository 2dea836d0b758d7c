// @vitest-environment happy-dom
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { SelfAudit } from "../src/pages/health/SelfAudit";
import type { SelfAuditReport } from "../src/rest/types";

afterEach(cleanup);

const STAGES = { prepared: 2.1, connected: 13, accepted: 4.4, stored: 31, seen: 40, notified: 1250, resolved: 60 };

function shown(given: Partial<SelfAuditReport>) {
  const audit: SelfAuditReport = {
    status: "passed",
    about: "an alert came through the whole path",
    last_passed_at: new Date(Date.now() - 310_000).toISOString(),
    last_run_at: new Date(Date.now() - 310_000).toISOString(),
    failed_stage: null,
    reason: null,
    stages: STAGES,
    ...given,
  };
  render(<SelfAudit audit={audit} />);
  return screen.getByRole("region", { name: "Self-audit" });
}

test("a path that was proved says when, and how long its stages took", () => {
  const card = shown({});
  expect(card.textContent).toContain("5m since the whole path was proved");
  const stages = within(card).getAllByRole("listitem");
  expect(stages.map((stage) => stage.textContent)).toEqual([
    "prepared2.1 ms",
    "connected13 ms",
    "accepted4.4 ms",
    "stored31 ms",
    "seen40 ms",
    "notified1.3 s",
    "resolved60 ms",
  ]);
});

test("one that broke says where and why, and when it last was whole", () => {
  const card = shown({
    status: "failed",
    about: "an alert did not come as far as stored",
    failed_stage: "stored",
    reason: "the processor did nothing within 20 s",
    stages: { ...STAGES, stored: null, seen: null, notified: null, resolved: null },
  });
  expect(card.textContent).toContain("5m since the whole path was proved");
  expect(card.textContent).toContain("the processor did nothing within 20 s");
  const stages = within(card).getAllByRole("listitem");
  expect(stages.slice(2, 5).map((stage) => stage.textContent)).toEqual([
    "accepted4.4 ms",
    "storedfailed here",
    "seennot reached",
  ]);
});

test("one that is switched off has no stages to show", () => {
  const card = shown({
    status: "off",
    about: "it is switched off",
    last_passed_at: null,
    last_run_at: null,
    stages: Object.fromEntries(Object.keys(STAGES).map((stage) => [stage, null])) as SelfAuditReport["stages"],
  });
  expect(card.textContent).toContain("the whole path was never proved");
  expect(card.textContent).toContain("it is switched off");
  expect(within(card).queryAllByRole("listitem")).toEqual([]);
});
