import {
  type AlertFrame,
  AlertSocket,
  type AlertSocketOptions,
  type Fault,
  type Gap,
  type Notification,
  type Position,
  type State,
  type TokenSource,
} from "@convex-alerts/client";
import { useCallback, useEffect, useRef, useState } from "react";
import { tokenNow } from "./token.ts";

export interface UseAlertWebSocketOptions {
  /** Where the gateway is; in a page that it serves: its own origin. */
  baseUrl?: string | undefined;
  /** The workspace that the token has to be of. */
  workspaceId?: string | undefined;
  /** What to follow; without it the whole workspace. */
  frameworkId?: string | undefined;
  /** A JWT or an API key, or what gives one. Without it the page's cookie signs in. The latest one is used. */
  token?: TokenSource | undefined;
  /** Where to begin: a list's `epoch` and `offset`. Without it: now. */
  since?: Position | undefined;
  /** Whether to connect by itself (true). */
  enabled?: boolean | undefined;
  onAlert?: ((alert: AlertFrame) => void) | undefined;
  onMessage?: ((data: unknown) => void) | undefined;
  onNotification?: ((notification: Notification) => void) | undefined;
  onConnect?: (() => void) | undefined;
  onDisconnect?: (() => void) | undefined;
  onError?: ((fault: Fault) => void) | undefined;
  /** Something was missed for good: reload by REST. */
  onGap?: ((gap: Gap) => void) | undefined;
  /** How patient it is, and which WebSocket it uses; read when it connects anew. */
  socket?: Omit<AlertSocketOptions, "baseUrl" | "token" | "workspaceId"> | undefined;
}

export interface AlertWebSocket {
  readonly state: State;
  readonly isConnected: boolean;
  readonly isConnecting: boolean;
  /** Why it does not work, while it does not. */
  readonly error: Fault | null;
  /** Alerts and messages since the component is there. */
  readonly messageCount: number;
  connect(): void;
  disconnect(): void;
  subscribe(frameworkId?: string, since?: Position): void;
  unsubscribe(frameworkId?: string): void;
}

/** One live feed for as long as the component is there. Handlers may change with every render: the latest are called. */
export function useAlertWebSocket(options: UseAlertWebSocketOptions = {}): AlertWebSocket {
  const { baseUrl, workspaceId, frameworkId, enabled = true } = options;
  const byToken = options.token !== undefined;
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const current = useRef<AlertSocket | null>(null);
  const [state, setState] = useState<State>("idle");
  const [error, setError] = useState<Fault | null>(null);
  const [messageCount, setMessageCount] = useState(0);

  useEffect(() => {
    const socket = new AlertSocket({
      ...latest.current.socket,
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(workspaceId === undefined ? {} : { workspaceId }),
      ...(byToken ? { token: () => tokenNow(latest.current.token) } : {}),
    });
    current.current = socket;
    let wasConnected = false;
    const leave = [
      socket.on("state", (now) => {
        setState(now);
        const isConnected = now === "connected" || now === "stale";
        if (now === "connected") setError(null);
        if (isConnected && !wasConnected) latest.current.onConnect?.();
        if (!isConnected && wasConnected) latest.current.onDisconnect?.();
        wasConnected = isConnected;
      }),
      socket.on("alert", (alert) => {
        setMessageCount((count) => count + 1);
        latest.current.onAlert?.(alert);
      }),
      socket.on("message", (data) => {
        setMessageCount((count) => count + 1);
        latest.current.onMessage?.(data);
      }),
      socket.on("notification", (notification) => latest.current.onNotification?.(notification)),
      socket.on("gap", (gap) => latest.current.onGap?.(gap)),
      socket.on("error", (fault) => {
        setError(fault);
        latest.current.onError?.(fault);
      }),
    ];
    socket.subscribe(frameworkId, latest.current.since);
    if (enabled) socket.connect();
    return () => {
      for (const off of leave) off();
      socket.disconnect();
      current.current = null;
      setState("idle");
    };
  }, [baseUrl, workspaceId, frameworkId, byToken, enabled]);

  const connect = useCallback(() => current.current?.connect(), []);
  const disconnect = useCallback(() => current.current?.disconnect(), []);
  const subscribe = useCallback((id?: string, since?: Position) => current.current?.subscribe(id, since), []);
  const unsubscribe = useCallback((id?: string) => current.current?.unsubscribe(id), []);
  return {
    state,
    isConnected: state === "connected" || state === "stale",
    isConnecting: state === "connecting" || state === "reconnecting",
    error,
    messageCount,
    connect,
    disconnect,
    subscribe,
    unsubscribe,
  };
}
