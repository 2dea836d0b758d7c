/** What travels over the socket. Unknown frames and fields are passed over: the server may be newer than this. */
import type { Alert, AlertEvent, Notification } from "./types.ts";

/** Everything up to `offset` of this epoch has been had. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

export interface AlertFrame {
  readonly type: "alert";
  readonly event: AlertEvent;
  readonly offset: number;
  readonly data: Alert;
}

export interface SubscribedFrame {
  readonly type: "subscribed";
  readonly channel: string;
  readonly framework_id: string | null;
  readonly epoch: string;
  readonly offset: number;
  readonly recovered: boolean;
  readonly replayed: number;
}

export interface AuthSuccessFrame {
  readonly type: "auth_success";
  readonly client_id: string;
  readonly workspace_id: string;
  readonly user_id: string;
  readonly expires_at: string | null;
  readonly heartbeat_interval: number;
}

export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  /** Seconds; with the code `restart`, which comes before a close with 1012. */
  readonly retry_after?: number;
}

export type ServerFrame =
  | AlertFrame
  | SubscribedFrame
  | AuthSuccessFrame
  | ErrorFrame
  | { readonly type: "auth_failed"; readonly message: string }
  | { readonly type: "unsubscribed"; readonly channel: string }
  | { readonly type: "position"; readonly offset: number }
  | { readonly type: "message"; readonly data: unknown }
  | { readonly type: "notification"; readonly data: Notification }
  | { readonly type: "pong" };

export type ClientFrame =
  | { readonly type: "auth"; readonly token: string }
  | { readonly type: "subscribe"; readonly framework_id?: string; readonly since?: Position }
  | { readonly type: "unsubscribe"; readonly framework_id?: string }
  | { readonly type: "ping" };

const KNOWN = new Set([
  "alert",
  "auth_failed",
  "auth_success",
  "error",
  "message",
  "notification",
  "pong",
  "position",
  "subscribed",
  "unsubscribed",
]);

/** The frame, or undefined where it is none that this client knows. */
export function parseFrame(text: unknown): ServerFrame | undefined {
  if (typeof text !== "string") return undefined;
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isKnown(frame) ? frame : undefined;
}

function isKnown(frame: unknown): frame is ServerFrame {
  if (typeof frame !== "object" || frame === null || !("type" in frame)) return false;
  if (typeof frame.type !== "string" || !KNOWN.has(frame.type)) return false;
  if (frame.type === "alert" || frame.type === "subscribed" || frame.type === "position") {
    if (!("offset" in frame) || !Number.isSafeInteger(frame.offset)) return false;
  }
  return frame.type !== "alert" || ("data" in frame && typeof frame.data === "object" && frame.data !== null);
}
