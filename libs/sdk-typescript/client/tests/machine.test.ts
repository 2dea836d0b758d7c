import { describe, expect, test } from "vitest";
import { LAST, pauseBefore } from "../src/backoff.ts";
import { parseFrame } from "../src/frames.ts";
import type { Terms } from "../src/machine.ts";
import { ModelClient, ModelGateway } from "./model.ts";

function begun(terms: Partial<Terms> = {}): ModelClient {
  const client = new ModelClient(new ModelGateway(), terms);
  client.step({ kind: "subscribe", scope: null });
  client.step({ kind: "connect" });
  return client;
}

function connected(terms: Partial<Terms> = {}): ModelClient {
  const client = begun(terms);
  client.open();
  client.hear();
  return client;
}

function fail(client: ModelClient): void {
  client.step({ kind: "token", token: "t" });
  client.lose();
}

describe("coming back", () => {
  test("the token is no part of the address or a header: it is the first frame", () => {
    const client = connected();
    expect(client.sent).toEqual([{ type: "auth", token: "t" }, { type: "subscribe" }]);
    expect(client.states).toEqual(["connecting", "connected"]);
  });

  test("a page's cookie signs in without a frame", () => {
    const client = begun();
    client.step({ kind: "token", token: undefined });
    client.step({ kind: "opened" });
    expect(client.sent).toEqual([]);
  });

  test("pauses grow to a bound, with full jitter", () => {
    const most = Array.from({ length: 9 }, (_, attempt) => pauseBefore(attempt, () => 1));
    expect(most).toEqual([500, 1000, 2000, 4000, 8000, 16_000, LAST, LAST, LAST]);
    expect(pauseBefore(5, () => 0)).toBe(0);
  });

  test("it gives up after ten further tries, and starts anew when the network is back", () => {
    const client = begun({ pollInterval: 0 });
    fail(client);
    for (let tries = 0; tries < 10; tries += 1) {
      client.ring("retry");
      fail(client);
    }
    expect(client.opens).toBe(11);
    expect(client.machine.state).toBe("failed");
    expect(client.faults.at(-1)).toMatchObject({ code: "attempts", final: true });
    expect(client.timers.size).toBe(0);
    client.step({ kind: "wake" });
    client.open();
    client.hear();
    expect(client.machine.state).toBe("connected");
  });

  test("tries are counted anew only after a connection that stayed", () => {
    const client = begun({ maxAttempts: 2, pollInterval: 0 });
    client.open();
    client.hear();
    client.ring("stable");
    for (let tries = 0; tries < 2; tries += 1) {
      client.lose();
      client.ring("retry");
      client.open();
      client.hear(); // signed in each time, and cut at once
    }
    client.lose();
    expect(client.machine.state).toBe("failed");
  });

  test.each([4400, 4401, 4403, 4408, 4499])("%d is final, whoever wakes it", (code) => {
    const client = connected();
    client.step({ kind: "frame", frame: { type: "auth_failed", message: "the token is of nobody" } });
    client.lose(code);
    client.step({ kind: "wake" });
    expect(client.machine.state).toBe("failed");
    expect(client.timers.size).toBe(0);
    expect(client.faults).toEqual([{ code: String(code), message: "the token is of nobody", final: true }]);
  });

  test.each([1000, 1001, 1006, 1012, 4500, 4502, 4503, 4508, 4509, 4510])("%d is tried again", (code) => {
    const client = connected();
    client.lose(code);
    expect(client.machine.state).toBe("reconnecting");
    expect(client.timers.has("retry")).toBe(true);
  });

  test("a restart says when to come back", () => {
    const client = connected();
    client.step({ kind: "frame", frame: { type: "error", code: "restart", message: "bye", retry_after: 7 } });
    client.lose(1012);
    expect(client.timers.get("retry")).toBe(7_250);
    client.ring("retry");
    fail(client);
    expect(client.timers.get("retry")).toBeLessThan(7_000);
  });

  test("a wake ends the pause, and looks whether an open connection is alive", () => {
    const client = connected();
    client.step({ kind: "wake" });
    expect(client.sent.at(-1)).toEqual({ type: "ping" });
    client.lose();
    client.step({ kind: "wake" });
    expect(client.timers.has("retry")).toBe(false);
    expect(client.opens).toBe(1); // the token is asked for first
  });

  test("nothing of it is left after disconnect", () => {
    for (const client of [begun(), connected()]) {
      client.step({ kind: "disconnect" });
      expect(client.machine.state).toBe("closed");
      expect(client.timers.size).toBe(0);
      client.lose();
      client.step({ kind: "wake" });
      expect(client.machine.state).toBe("closed");
    }
  });
});

describe("a connection", () => {
  test("is pinged each 30 s, and given up where nothing is heard", () => {
    const client = connected();
    expect(client.timers.get("ping")).toBe(30_000);
    client.ring("ping");
    client.hear();
    expect(client.timers.has("answer")).toBe(false);
    client.ring("ping");
    client.ring("answer");
    expect(client.isOpen).toBe(false);
    expect(client.machine.state).toBe("reconnecting");
  });

  test("that does not open in time is given up", () => {
    const client = begun();
    client.ring("answer");
    expect(client.machine.state).toBe("reconnecting");
  });

  test("says when the store is away, and when it is back", () => {
    const client = connected();
    client.step({ kind: "frame", frame: { type: "error", code: "stale", message: "the store is away" } });
    expect(client.machine.state).toBe("stale");
    client.step({ kind: "frame", frame: { type: "position", offset: 0 } });
    expect(client.states).toEqual(["connecting", "connected", "stale", "connected"]);
  });

  test("of another workspace is refused", () => {
    const client = connected({ workspaceId: "another" });
    expect(client.machine.state).toBe("failed");
    expect(client.faults).toMatchObject([{ code: "workspace", final: true }]);
    client.step({ kind: "wake" });
    expect(client.machine.state).toBe("failed");
  });
});

describe("tokens", () => {
  const welcome = (expires_at: string | null) =>
    ({
      kind: "frame",
      frame: {
        type: "auth_success",
        client_id: "c",
        workspace_id: "w",
        user_id: "u",
        expires_at,
        heartbeat_interval: 30_000,
      },
    }) as const;

  test("are renewed a minute before they expire", () => {
    const client = begun({ renewable: true });
    client.open();
    client.step(welcome(new Date(600_000).toISOString()));
    expect(client.timers.get("renew")).toBe(540_000);
    client.ring("renew");
    client.step({ kind: "token", token: "new" });
    expect(client.sent.at(-1)).toEqual({ type: "auth", token: "new" });
    client.step(welcome(new Date(1_200_000).toISOString()));
    expect(client.timers.get("renew")).toBe(1_140_000);
    expect(client.sent.filter((frame) => frame.type === "subscribe")).toHaveLength(1);
  });

  test("that never expire, or cannot be had anew, are left alone", () => {
    const forever = begun({ renewable: true });
    forever.open();
    forever.step(welcome(null));
    const fixed = begun();
    fixed.open();
    fixed.step(welcome(new Date(600_000).toISOString()));
    expect([forever.timers.has("renew"), fixed.timers.has("renew")]).toEqual([false, false]);
  });

  test("that are always the last one are not asked for without a pause", () => {
    const client = begun({ renewable: true });
    client.open();
    client.step(welcome(new Date(4).toISOString()));
    expect(client.timers.get("renew")).toBe(1_000);
  });

  test("that expired are replaced at once", () => {
    const client = connected();
    client.ring("stable");
    client.lose(4501);
    expect(client.timers.get("retry")).toBe(0);
    expect(client.faults).toEqual([]);
  });

  test("that cannot be had are another failed try", () => {
    const client = begun();
    client.step({ kind: "tokenFailed", message: "the issuer is away" });
    expect(client.machine.state).toBe("reconnecting");
    expect(client.faults).toEqual([{ code: "token", message: "the issuer is away", final: false }]);
  });
});

describe("REST", () => {
  function shutOut(): ModelClient {
    const client = begun();
    fail(client);
    for (let tries = 0; tries < 3; tries += 1) {
      client.ring("retry");
      fail(client);
    }
    return client;
  }

  test("is read where no socket comes through, page by page, until one does", () => {
    const client = shutOut();
    client.poll();
    expect(client.machine.state).toBe("polling");
    for (let number = 0; number < 5; number += 1) client.gateway.commit("a");
    client.ring("poll");
    client.poll(2);
    client.poll(2);
    client.poll(2);
    expect(client.alerts.map((frame) => frame.offset)).toEqual([1, 2, 3, 4, 5]);
    client.gateway.commit("a");
    client.ring("retry");
    client.open();
    client.hear();
    expect(client.machine.state).toBe("connected");
    expect(client.timers.has("poll")).toBe(false);
    expect(client.alerts.map((frame) => frame.offset)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("keeps it alive beyond the last try, which goes on now and then", () => {
    const client = shutOut();
    client.poll();
    for (let tries = 0; tries < 20; tries += 1) {
      client.ring("retry");
      fail(client);
    }
    expect(client.machine.state).toBe("polling");
    expect(client.timers.get("retry")).toBe(LAST);
    for (let reads = 0; reads <= 10; reads += 1) {
      client.ring("poll");
      client.step({ kind: "pollFailed" });
    }
    expect(client.machine.state).toBe("failed");
    expect(client.timers.size).toBe(0);
  });

  test("is not read by who had a socket a moment ago", () => {
    const client = connected();
    client.lose();
    expect(client.polls).toEqual([]);
  });
});

test.each([
  ["no JSON", "{"],
  ["no object", "[]"],
  ["null", "null"],
  ["no text", new ArrayBuffer(2)],
  ["of a newer server", '{"type":"hologram"}'],
  ["an alert without its alert", '{"type":"alert","offset":1}'],
  ["an offset that is no number", '{"type":"position","offset":"1"}'],
])("a frame that is %s is passed over", (_, text) => {
  expect(parseFrame(text)).toBeUndefined();
});
