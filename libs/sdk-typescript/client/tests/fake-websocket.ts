import type { ClientFrame, ServerFrame } from "../src/frames.ts";
import type { WebSocketLike } from "../src/socket.ts";

/** A socket whose other end is the test. */
export class FakeWebSocket implements WebSocketLike {
  static made: FakeWebSocket[] = [];
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: ClientFrame[] = [];
  readonly url: string;
  readonly protocols: string[];
  isClosed = false;

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeWebSocket.made.push(this);
  }

  static last(): FakeWebSocket {
    const last = FakeWebSocket.made.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {
    this.isClosed = true;
  }

  open(): void {
    this.onopen?.({} as never);
  }

  frame(frame: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) } as never);
  }

  drop(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason } as never);
  }

  welcome(workspace = "w"): void {
    this.open();
    this.frame({
      type: "auth_success",
      client_id: "c",
      workspace_id: workspace,
      user_id: "u",
      expires_at: null,
      heartbeat_interval: 30_000,
    });
  }

  subscribed(offset: number, frameworkId: string | null = null): void {
    this.frame({
      type: "subscribed",
      channel: "",
      framework_id: frameworkId,
      epoch: "e",
      offset,
      recovered: true,
      replayed: 0,
    });
  }
}
