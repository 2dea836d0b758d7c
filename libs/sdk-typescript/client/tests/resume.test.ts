import fc from "fast-check";
import { expect, test } from "vitest";
import type { Scope } from "../src/subscriptions.ts";
import { ModelClient, ModelGateway } from "./model.ts";

const FRAMEWORKS = ["a", "b", "c"] as const;

type Move =
  | { do: "commit"; framework: (typeof FRAMEWORKS)[number] }
  | { do: "hear"; count: number }
  | { do: "cut" }
  | { do: "wake" }
  | { do: "poll"; limit: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("commit" as const), framework: fc.constantFrom(...FRAMEWORKS) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("hear" as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.constant({ do: "cut" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "wake" as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("poll" as const), limit: fc.integer({ min: 1, max: 4 }) }) },
);

/** The whole workspace and frameworks, in any mixture, from positions of their own. */
const subscribed = fc.uniqueArray(
  fc.record({ scope: fc.constantFrom<Scope>(null, "a", "b"), since: fc.integer({ min: 0, max: 4 }) }),
  { minLength: 1, selector: (one) => one.scope },
);

function play(client: ModelClient, one: Move): void {
  const { gateway } = client;
  if (one.do === "commit") return gateway.commit(one.framework);
  if (one.do === "hear") return client.hear(one.count);
  if (one.do === "wake") return void client.step({ kind: "wake" });
  if (one.do === "poll") return client.poll(one.limit);
  if (client.isOpen) return client.lose();
  if (client.timers.has("retry")) {
    client.ring("retry");
    // Every other try is in vain, so that polling begins and ends in between.
    if (client.opens % 2) client.open();
    else {
      client.step({ kind: "token", token: "t" });
      client.lose();
    }
  }
}

function finish(client: ModelClient): void {
  client.lose();
  for (let tries = 0; tries < 20 && !client.isOpen; tries += 1) {
    if (client.timers.has("retry")) client.ring("retry");
    client.open();
  }
  client.hear();
}

test("whatever is cut where, each offset comes once, and in order for each subscription", () => {
  fc.assert(
    fc.property(subscribed, fc.array(move, { maxLength: 60 }), (scopes, moves) => {
      const gateway = new ModelGateway();
      for (let number = 0; number < 4; number += 1) gateway.commit(FRAMEWORKS[number % 3] ?? "a");
      const client = new ModelClient(gateway, { maxAttempts: 1_000, pollAfter: 1 });
      for (const { scope, since } of scopes) {
        client.step({ kind: "subscribe", scope, since: { epoch: gateway.epoch, offset: since } });
      }
      client.step({ kind: "connect" });
      client.open();
      for (const one of moves) play(client, one);
      finish(client);

      const offsets = client.alerts.map((frame) => frame.offset);
      expect(new Set(offsets).size).toBe(offsets.length);
      const wanted = gateway.log.filter((frame) =>
        scopes.some(
          ({ scope, since }) => frame.offset > since && (scope === null || scope === frame.data.framework_id),
        ),
      );
      expect([...offsets].sort((a, b) => a - b)).toEqual(wanted.map((frame) => frame.offset));
      if (scopes.length === 1) expect(offsets).toEqual(wanted.map((frame) => frame.offset));
      expect(client.gaps).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

test("a subscription of its own framework is in order, whatever else is subscribed to", () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      const gateway = new ModelGateway();
      const client = new ModelClient(gateway, { maxAttempts: 1_000, pollAfter: 1 });
      for (const scope of ["a", "b"])
        client.step({ kind: "subscribe", scope, since: { epoch: gateway.epoch, offset: 0 } });
      client.step({ kind: "connect" });
      client.open();
      for (const one of moves) play(client, one);
      finish(client);
      for (const scope of ["a", "b"]) {
        const offsets = client.alerts.filter((f) => f.data.framework_id === scope).map((f) => f.offset);
        expect(offsets).toEqual(gateway.log.filter((f) => f.data.framework_id === scope).map((f) => f.offset));
      }
    }),
    { numRuns: 200 },
  );
});

test.each([
  ["another history", (gateway: ModelGateway) => gateway.restore()],
  [
    "what was missed is too old",
    (gateway: ModelGateway) => {
      for (let number = 0; number < 5; number += 1) gateway.commit("a");
      gateway.oldest = 5;
    },
  ],
])("%s is a gap, told once, and the feed goes on behind it", (_, happens) => {
  for (const way of ["socket", "rest"] as const) {
    const gateway = new ModelGateway();
    const client = new ModelClient(gateway, { pollAfter: 1 });
    client.step({ kind: "subscribe", scope: null });
    client.step({ kind: "connect" });
    client.open();
    client.hear();
    gateway.commit("a");
    client.hear();
    happens(gateway);
    client.lose();
    if (way === "rest") {
      for (let tries = 0; tries < 2; tries += 1) {
        client.ring("retry");
        client.step({ kind: "token", token: "t" });
        client.lose();
      }
      client.poll();
    }
    client.ring("retry");
    client.open();
    client.hear();
    const before = gateway.log.length;
    gateway.commit("b");
    client.hear();
    expect(client.gaps).toEqual([{ frameworkId: null, epoch: gateway.epoch, offset: before }]);
    expect(client.alerts.map((frame) => frame.offset)).toEqual([1, before + 1]);
    expect(client.machine.subscriptions.position(null)).toEqual({ epoch: gateway.epoch, offset: before + 1 });
  }
});
