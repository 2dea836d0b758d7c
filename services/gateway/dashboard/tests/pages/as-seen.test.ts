import { expect, test, vi } from "vitest";
import { asSeen, ChangedMeanwhile } from "../../src/pages/rules/asSeen";
import type { Rule } from "../../src/rest/types";
import { Refused } from "../../src/session/session";

const RULE = { id: "r", version: 3, name: "Slow", severity: "warning", enabled: true } as Rule;

/** A server that has the rule so, and does what is asked of the version that it has. */
function serving(now: Rule) {
  const change = vi.fn(async (header: { "If-Match": string }) => {
    if (header["If-Match"] !== `"${now.version}"`) throw new Refused(412);
    return "done";
  });
  const read = vi.fn(async () => now);
  return { change, read };
}

test("what is as it was seen is changed, and not read again", async () => {
  const { change, read } = serving(RULE);
  expect(await asSeen(RULE, read, change)).toBe("done");
  expect(read).not.toHaveBeenCalled();
});

test("what others saved without changing it is changed as it is now", async () => {
  const { change, read } = serving({ ...RULE, version: 4 });
  expect(await asSeen(RULE, read, change)).toBe("done");
  expect(change.mock.calls.map(([header]) => header["If-Match"])).toEqual(['"3"', '"4"']);
});

test("what others changed stays theirs, and it is told what that is", async () => {
  const now = { ...RULE, version: 4, severity: "critical", enabled: false } as Rule;
  const { change, read } = serving(now);
  const failure = await asSeen(RULE, read, change).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ChangedMeanwhile);
  expect(failure).toMatchObject({ now, fields: ["severity", "enabled"] });
  expect(change).toHaveBeenCalledOnce();
});

test("it gives up on a rule that is saved over and over", async () => {
  let version = 3;
  const change = vi.fn(async () => {
    throw new Refused(412);
  });
  await expect(asSeen(RULE, async () => ({ ...RULE, version: ++version }), change)).rejects.toThrow(Refused);
  expect(change).toHaveBeenCalledTimes(3);
});

test("another refusal is passed on", async () => {
  const change = async () => {
    throw new Refused(404, { detail: "there is no such rule" });
  };
  await expect(asSeen(RULE, async () => RULE, change)).rejects.toThrow("there is no such rule");
});
