/** Against a real gateway; run by tests/e2e/test_sdk_typescript.py, which kills it when it is asked to. */
import { expect, test } from "vitest";
import { AlertSocket, type AlertSocketOptions, createApi, type State, type WebSocketClass } from "../src/index.ts";

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run tests/e2e/test_sdk_typescript.py`);
  return value;
}

const baseUrl = given("CONVEX_URL");
const token = given("CONVEX_TOKEN");
const rule = given("CONVEX_RULE");
const framework = given("CONVEX_FRAMEWORK");
const hook = given("CONVEX_HOOK");
const api = createApi({ baseUrl, token });

async function until<T>(
  what: string,
  found: () => T | Promise<T>,
  within = 30_000,
): Promise<Exclude<NonNullable<T>, false>> {
  for (const end = Date.now() + within; Date.now() < end; await new Promise((go) => setTimeout(go, 20))) {
    const value = await found();
    if (value !== undefined && value !== null && value !== false) return value as Exclude<NonNullable<T>, false>;
  }
  throw new Error(`waited in vain: ${what}`);
}

class Watcher {
  readonly offsets: number[] = [];
  readonly events: string[] = [];
  readonly states: State[] = [];
  readonly gaps: unknown[] = [];
  readonly socket: AlertSocket;

  constructor(options: AlertSocketOptions = {}) {
    this.socket = new AlertSocket({ baseUrl, token, ...options });
    this.socket.on("alert", ({ event, offset }) => {
      this.offsets.push(offset);
      this.events.push(event);
    });
    this.socket.on("state", (state) => this.states.push(state));
    this.socket.on("gap", (gap) => this.gaps.push(gap));
  }

  async begin(frameworkId?: string): Promise<number> {
    this.socket.subscribe(frameworkId);
    this.socket.connect();
    return (await until("a position", () => this.socket.position(frameworkId))).offset;
  }
}

/** Sends it until it is accepted, under one key: a gateway that dies in between accepts it once. */
async function trigger(label: string): Promise<void> {
  await until(`trigger ${label}`, async () => {
    try {
      const { response } = await api.POST("/api/v1/triggers", {
        params: { header: { "Idempotency-Key": label } },
        body: { alert_rule_id: rule, current_value: 200, labels: { label } },
      });
      return response.status === 202;
    } catch {
      return false;
    }
  });
}

async function position(): Promise<number> {
  const { data } = await api.GET("/api/v1/feed");
  if (data === undefined) throw new Error("the feed does not say where it stands");
  return data.offset;
}

function everyOne(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, number) => from + 1 + number);
}

test("a trigger is an alert on the socket, and what people do with it is, too", async () => {
  const watcher = new Watcher();
  const began = await watcher.begin();
  await trigger("one");
  const { data: list } = await until("the alert", async () => {
    const read = await api.GET("/api/v1/alerts", { params: { query: { framework_id: framework } } });
    return read.data?.items.length ? read : undefined;
  });
  const id = list?.items[0]?.id ?? "";
  const { data, error } = await api.POST("/api/v1/alerts/{alert_id}/acknowledge", {
    params: { path: { alert_id: id } },
  });
  expect([data?.status, error]).toEqual(["acknowledged", undefined]);
  await until("both events", () => watcher.events.includes("acknowledged"));
  expect(watcher.events).toEqual(["created", "acknowledged"]);
  expect(watcher.offsets).toEqual([began + 1, began + 2]);
  watcher.socket.disconnect();
});

test("a token of nobody is final", async () => {
  const faults: unknown[] = [];
  const socket = new AlertSocket({ baseUrl, token: "nonsense" });
  socket.on("error", (fault) => faults.push(fault));
  socket.connect();
  await until("the end", () => socket.state === "failed");
  expect(faults).toMatchObject([{ code: "4401", final: true }]);
});

test("a token is renewed in time, on the same connection", async () => {
  let asked = 0;
  const watcher = new Watcher({
    token: async () => {
      asked += 1;
      return await (await fetch(`${hook}/token`)).text();
    },
  });
  await watcher.begin();
  await until("three tokens", () => asked >= 3);
  await trigger("renewed");
  await until("the alert", () => watcher.offsets.length > 0);
  expect(watcher.states).toEqual(["connecting", "connected"]);
  watcher.socket.disconnect();
});

test("the gateway is killed, and nothing is missed or doubled", async () => {
  const whole = new Watcher();
  const one = new Watcher();
  const began = await whole.begin();
  await one.begin(framework);
  for (let number = 0; number < 30; number += 1) {
    await trigger(`killed-${number}`);
    if (number === 10) await fetch(`${hook}/kill`);
  }
  const last = await until("all thirty", async () => {
    const now = await position();
    return now >= began + 30 && now;
  });
  for (const watcher of [whole, one]) {
    await until("the last offset", () => watcher.offsets.at(-1) === last);
    expect(watcher.offsets).toEqual(everyOne(began, last));
    expect(watcher.states).toContain("reconnecting");
    expect(watcher.gaps).toEqual([]);
    watcher.socket.disconnect();
  }
});

test("through a proxy without WebSockets it reads by REST, and goes back to the socket without a doubled alert", async () => {
  let isBarred = false;
  const Barred: WebSocketClass = class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(isBarred ? "ws://127.0.0.1:9/ws" : url, protocols);
    }
  };
  const watcher = new Watcher({ WebSocket: Barred, pollInterval: 100, random: () => 0.1, maxAttempts: 1_000 });
  const began = await watcher.begin();
  isBarred = true;
  await trigger("before");
  await until("by the socket", () => watcher.offsets.length >= 1);
  await fetch(`${hook}/kill`);
  await until("REST", () => watcher.socket.state === "polling");
  await trigger("meanwhile");
  await until("by REST", () => watcher.offsets.length >= 2);
  isBarred = false;
  await until("the socket", () => watcher.socket.state === "connected");
  await trigger("after");
  const last = await until("all three", async () => {
    const now = await position();
    return now >= began + 3 && now;
  });
  await until("the last offset", () => watcher.offsets.at(-1) === last);
  expect(watcher.offsets).toEqual(everyOne(began, last));
  watcher.socket.disconnect();
});
