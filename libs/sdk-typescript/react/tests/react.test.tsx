import { readFileSync } from "node:fs";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { StrictMode } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeWebSocket } from "../../client/tests/fake-websocket.ts";
import { alertFrame } from "../../client/tests/model.ts";
import { AlertFeed, type AlertWebSocket, useAlertWebSocket } from "../src/index.ts";

beforeEach(() => {
  FakeWebSocket.made = [];
});
afterEach(cleanup);

const XSS = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
const settled = () => act(async () => void (await new Promise((resolve) => setTimeout(resolve, 0))));

let hook: AlertWebSocket;
function Watching(props: { onAlert: (offset: number) => void; frameworkId?: string; workspaceId?: string }) {
  hook = useAlertWebSocket({
    baseUrl: "https://alerts.example.com",
    token: "t",
    frameworkId: props.frameworkId,
    workspaceId: props.workspaceId,
    onAlert: ({ offset }) => props.onAlert(offset),
    socket: { WebSocket: FakeWebSocket },
  });
  return null;
}

test("one connection under StrictMode, none more for a new render, and the latest handler is called", async () => {
  const first = vi.fn();
  const second = vi.fn();
  const page = render(<Watching onAlert={first} />, { wrapper: StrictMode });
  await settled();
  expect(FakeWebSocket.made).toHaveLength(1);
  expect([hook.isConnected, hook.isConnecting]).toEqual([false, true]);
  const socket = FakeWebSocket.last();
  act(() => {
    socket.welcome();
    socket.subscribed(0);
    socket.frame(alertFrame(1, "a"));
  });
  page.rerender(<Watching onAlert={second} />);
  act(() => socket.frame(alertFrame(2, "a")));
  expect([first.mock.calls, second.mock.calls]).toEqual([[[1]], [[2]]]);
  expect(FakeWebSocket.made).toHaveLength(1);
  expect([hook.isConnected, hook.messageCount, hook.error]).toEqual([true, 2, null]);
  page.unmount();
  expect(socket.isClosed).toBe(true);
});

test("it follows a framework, and what is subscribed to by hand", async () => {
  render(<Watching onAlert={() => undefined} frameworkId="a" />);
  await settled();
  const socket = FakeWebSocket.last();
  act(() => socket.welcome());
  act(() => {
    hook.subscribe("b", { epoch: "e", offset: 3 });
    hook.unsubscribe("a");
  });
  expect(socket.sent.slice(1)).toEqual([
    { type: "subscribe", framework_id: "a" },
    { type: "subscribe", framework_id: "b", since: { epoch: "e", offset: 3 } },
    { type: "unsubscribe", framework_id: "a" },
  ]);
  act(() => hook.disconnect());
  expect([hook.state, socket.isClosed]).toEqual(["closed", true]);
  act(() => hook.connect());
  await settled();
  expect(FakeWebSocket.made).toHaveLength(2);
});

test("another workspace's token is an error, and no connection", async () => {
  render(<Watching onAlert={() => undefined} workspaceId="mine" />);
  await settled();
  act(() => FakeWebSocket.last().welcome("theirs"));
  expect(hook.state).toBe("failed");
  expect(hook.error?.message).toContain("theirs");
});

test("the feed shows what is open as text, follows it, and reads anew after a gap", async () => {
  const evil = alertFrame(1, "a").data;
  const listed = [{ ...evil, title: XSS, severity: "critical" as const }];
  let reads = 0;
  const fetch = async (request: Request) => {
    expect(request.headers.get("Authorization")).toBe("Bearer t");
    reads += 1;
    const body = { items: reads === 1 ? listed : [], next_cursor: null, epoch: "e", offset: 1 };
    return new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" } });
  };
  const chosen = vi.fn();
  const socket = { WebSocket: FakeWebSocket, fetch };
  const { container } = render(
    <AlertFeed baseUrl="https://alerts.example.com" token="t" socket={socket} onSelect={chosen} />,
  );
  await settled();
  await settled();
  expect(screen.getByRole("listitem").textContent).toContain(XSS);
  expect(container.querySelector("img, script, style, [style]")).toBeNull();
  fireEvent.click(screen.getByRole("button"));
  expect(chosen).toHaveBeenCalledWith(listed[0]);

  act(() => FakeWebSocket.last().welcome());
  expect(screen.getByRole("status").dataset["state"]).toBe("connected");
  expect(FakeWebSocket.last().sent.at(-1)).toEqual({ type: "subscribe", since: { epoch: "e", offset: 1 } });
  act(() => FakeWebSocket.last().subscribed(1));
  const next = alertFrame(2, "a");
  act(() => FakeWebSocket.last().frame({ ...next, data: { ...next.data, id: "2", title: "second" } }));
  expect(screen.getAllByRole("listitem").map((item) => item.textContent?.includes("second"))).toEqual([true, false]);
  act(() => FakeWebSocket.last().frame({ ...next, offset: 3, data: { ...next.data, version: 2, status: "resolved" } }));
  expect(screen.getAllByRole("listitem")).toHaveLength(1);

  act(() => FakeWebSocket.last().drop(4502));
  expect(screen.getByRole("status").dataset["state"]).toBe("reconnecting");
  act(() => void window.dispatchEvent(new Event("online")));
  await settled();
  act(() => {
    FakeWebSocket.last().welcome();
    FakeWebSocket.last().frame({
      type: "subscribed",
      channel: "",
      framework_id: null,
      epoch: "e2",
      offset: 0,
      recovered: false,
      replayed: 0,
    });
  });
  await settled();
  expect(reads).toBe(2);
  expect(screen.queryAllByRole("listitem")).toEqual([]);
});

test("what cannot be read can be tried again", async () => {
  let isAway = true;
  const fetch = async () =>
    isAway
      ? new Response("{}", { status: 503, headers: { "Content-Type": "application/problem+json" } })
      : new Response('{"items":[],"next_cursor":null,"epoch":"e","offset":0}', {
          headers: { "Content-Type": "application/json" },
        });
  const socket = { WebSocket: FakeWebSocket, fetch };
  render(<AlertFeed baseUrl="https://alerts.example.com" token="t" socket={socket} />);
  await settled();
  isAway = false;
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  await settled();
  expect(screen.queryByRole("alert")).toBeNull();
  expect(screen.getByText("No open alerts.")).toBeTruthy();
});

test("the README's example is the one that the compiler checks", async () => {
  const at = (path: string) => readFileSync(`${import.meta.dirname}/${path}`, "utf8");
  const checked = at("readme.tsx").replace("../src/index.ts", "@convex-alerts/react");
  expect(at("../README.md")).toContain(`\`\`\`tsx\n${checked}\`\`\``);
});
