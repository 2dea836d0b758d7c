import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AlertSocket, type AlertSocketOptions, createApi } from "../src/index.ts";
import { FakeWebSocket } from "./fake-websocket.ts";
import { alertFrame } from "./model.ts";

beforeEach(() => {
  vi.useFakeTimers();
  FakeWebSocket.made = [];
});
afterEach(() => vi.useRealTimers());

function socketOf(options: AlertSocketOptions = {}): AlertSocket {
  return new AlertSocket({
    baseUrl: "https://alerts.example.com/",
    token: "t",
    WebSocket: FakeWebSocket,
    random: () => 0.5,
    ...options,
  });
}

test("it speaks convex.v1 to /ws, gives what comes, and comes back after where it was", () => {
  const socket = socketOf();
  const offsets: number[] = [];
  socket.on("alert", ({ offset }) => offsets.push(offset));
  socket.subscribe();
  socket.connect();
  const first = FakeWebSocket.last();
  expect([first.url, first.protocols]).toEqual(["wss://alerts.example.com/ws", ["convex.v1"]]);
  first.welcome();
  first.subscribed(0);
  first.frame(alertFrame(1, "a"));
  first.drop();
  vi.advanceTimersByTime(250);
  const second = FakeWebSocket.last();
  second.welcome();
  expect(second.sent.at(-1)).toEqual({ type: "subscribe", since: { epoch: "e", offset: 1 } });
  first.frame(alertFrame(2, "a")); // an old connection has nothing to say
  expect(offsets).toEqual([1]);
  expect(socket.position()).toEqual({ epoch: "e", offset: 1 });
  socket.disconnect();
  expect(second.isClosed).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test("a listener may ask for something, and its fault is its own", () => {
  vi.useRealTimers();
  const socket = socketOf();
  const told: string[] = [];
  const thrown: unknown[] = [];
  const queue = vi.spyOn(globalThis, "queueMicrotask").mockImplementation((callback) => {
    try {
      callback();
    } catch (error) {
      thrown.push(error);
    }
  });
  socket.on("alert", () => {
    socket.disconnect();
    throw new Error("mine");
  });
  const off = socket.on("alert", () => told.push("off"));
  off();
  socket.on("alert", () => told.push("second"));
  socket.on("state", (state) => told.push(state));
  socket.subscribe();
  socket.connect();
  FakeWebSocket.last().welcome();
  FakeWebSocket.last().subscribed(0);
  FakeWebSocket.last().frame(alertFrame(1, "a"));
  expect(told).toEqual(["connecting", "connected", "second", "closed"]);
  expect(thrown).toEqual([new Error("mine")]);
  queue.mockRestore();
});

test("an error without a close is the end of a connection, and a close after it is no second one", () => {
  const socket = socketOf();
  const faults: string[] = [];
  socket.on("error", ({ code }) => faults.push(code));
  socket.connect();
  FakeWebSocket.last().onerror?.({} as never);
  FakeWebSocket.last().drop();
  expect([socket.state, faults]).toEqual(["reconnecting", ["1006"]]);
  vi.advanceTimersByTime(250);
  expect(FakeWebSocket.made).toHaveLength(2);
  socket.disconnect();
});

test("tokens are asked for before each connection", async () => {
  let number = 0;
  const socket = socketOf({ token: async () => `t${++number}` });
  socket.connect();
  await vi.advanceTimersByTimeAsync(0);
  FakeWebSocket.last().open();
  FakeWebSocket.last().drop();
  await vi.advanceTimersByTimeAsync(250);
  FakeWebSocket.last().open();
  expect(FakeWebSocket.made.map((one) => one.sent[0])).toEqual([
    { type: "auth", token: "t1" },
    { type: "auth", token: "t2" },
  ]);
  socket.disconnect();
});

test("where no WebSocket comes through it reads by REST, with the token and where it stands", async () => {
  const asked: string[] = [];
  let offset = 0;
  const socket = socketOf({
    fetch: async (request) => {
      asked.push(`${request.url} ${request.headers.get("Authorization")}`);
      const items = offset === 0 ? [] : [alertFrame(1, "a")];
      const page = { epoch: "e", offset, recovered: true, more: false, items };
      offset = 1;
      return new Response(JSON.stringify(page), { headers: { "Content-Type": "application/json" } });
    },
  });
  const offsets: number[] = [];
  socket.on("alert", (frame) => offsets.push(frame.offset));
  socket.subscribe();
  socket.connect();
  for (let tries = 0; tries < 5; tries += 1) {
    FakeWebSocket.last().drop();
    await vi.advanceTimersByTimeAsync(3_000);
  }
  await vi.advanceTimersByTimeAsync(6_000);
  expect(socket.state).toBe("polling");
  expect(asked.slice(0, 2)).toEqual([
    "https://alerts.example.com/api/v1/feed Bearer t",
    "https://alerts.example.com/api/v1/feed?epoch=e&offset=0 Bearer t",
  ]);
  expect(offsets).toEqual([1]);
  socket.disconnect();
  expect(vi.getTimerCount()).toBe(0);
});

test("the API's client signs in, and gives every change a key of its own", async () => {
  const requests: Request[] = [];
  const api = createApi({
    baseUrl: "https://alerts.example.com/",
    token: () => "t",
    headers: () => ({ "X-CSRF-Token": "c" }),
    fetch: async (request) => {
      requests.push(request);
      return new Response("{}", { headers: { "Content-Type": "application/json" } });
    },
  });
  await api.GET("/api/v1/alerts", { params: { query: { status: ["firing", "acknowledged"] } } });
  for (let times = 0; times < 2; times += 1) {
    await api.POST("/api/v1/alerts/{alert_id}/acknowledge", { params: { path: { alert_id: "x" } }, body: {} });
  }
  const [list, first, second] = requests;
  expect(list?.url).toBe("https://alerts.example.com/api/v1/alerts?status=firing&status=acknowledged");
  expect(list?.headers.get("Idempotency-Key")).toBeNull();
  expect(first?.headers.get("Authorization")).toBe("Bearer t");
  expect(first?.headers.get("X-CSRF-Token")).toBe("c");
  expect(first?.headers.get("Idempotency-Key")).toMatch(/^[0-9a-f]{32}$/);
  expect(first?.headers.get("Idempotency-Key")).not.toBe(second?.headers.get("Idempotency-Key"));
});
