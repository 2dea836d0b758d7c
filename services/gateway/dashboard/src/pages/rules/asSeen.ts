import type { Rule } from "../../rest/types";
import { Refused } from "../../session/session";
import { changedMeanwhile, type RuleDraft } from "./form";

/** How often a change is sent anew for a rule that others save without changing it. */
const TRIES = 3;

/** Somebody else has changed the rule since it was seen, and nothing was done. */
export class ChangedMeanwhile extends Error {
  readonly now: Rule;
  /** What is another, in words. */
  readonly fields: readonly string[];

  constructor(now: Rule, fields: readonly string[]) {
    super(`Somebody changed this rule meanwhile: ${fields.join(", ")}.`);
    this.name = "ChangedMeanwhile";
    this.now = now;
    this.fields = fields;
  }
}

/** Has it changed as it was seen, or not at all: ChangedMeanwhile says what others have made of it. */
export async function asSeen<Answer>(
  seen: Rule,
  read: () => Promise<Rule>,
  change: (header: { "If-Match": string }) => Promise<Answer>,
): Promise<Answer> {
  for (let base = seen, tries = 1; ; tries += 1) {
    try {
      return await change({ "If-Match": `"${base.version}"` });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 412) || tries >= TRIES) throw error;
      base = await read();
      const fields = changedMeanwhile(seen as RuleDraft, base as RuleDraft);
      if (fields.length > 0) throw new ChangedMeanwhile(base, fields);
    }
  }
}
