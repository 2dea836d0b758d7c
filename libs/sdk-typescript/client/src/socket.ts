import { createApi } from "./api.ts";
import { GONE } from "./closing.ts";
import type { Position } from "./frames.ts";
import { parseFrame } from "./frames.ts";
import { type Effect, type Events, type Input, Machine, type State, TERMS, type Timer } from "./machine.ts";
import type { FeedPage, Scope } from "./subscriptions.ts";
import { type TokenSource, tokenOf } from "./token.ts";

/** As much of a WebSocket as is needed: the browser's, Node's (22 and newer), or `ws`. */
export interface WebSocketLike {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

export interface Clock {
  now(): number;
  setTimeout(callback: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
}

export interface AlertSocketOptions {
  /** Where the gateway is, `https://alerts.example.com`. In a page that it serves: its own origin. */
  baseUrl?: string;
  /** A JWT or an API key, or what gives one, which is asked again before it expires. Without it the cookie signs in. */
  token?: TokenSource;
  /** The workspace that the token has to be of. */
  workspaceId?: string;
  /** Tries in a row that may fail (10). They are counted anew after a connection that stayed. */
  maxAttempts?: number;
  /** Milliseconds between pings (30,000). */
  pingInterval?: number;
  /** Milliseconds between reads by REST while sockets cannot be had (5,000); 0: never. */
  pollInterval?: number;
  WebSocket?: WebSocketClass;
  fetch?: (request: Request) => Promise<Response>;
  clock?: Clock;
  /** From 0 to 1. */
  random?: () => number;
}

const SUBPROTOCOL = "convex.v1";

/**
 * The live feed. It comes back by itself after where it was, and gives each alert's change once and in order.
 *
 *     const socket = new AlertSocket({ baseUrl, token });
 *     socket.on("alert", ({ event, data }) => …);
 *     socket.subscribe();
 *     socket.connect();
 */
export class AlertSocket {
  readonly #options: AlertSocketOptions;
  readonly #machine: Machine;
  readonly #clock: Clock;
  readonly #timers = new Map<Timer, unknown>();
  readonly #listeners: { [E in keyof Events]: Set<Events[E]> } = {
    alert: new Set(),
    error: new Set(),
    gap: new Set(),
    message: new Set(),
    notification: new Set(),
    position: new Set(),
    state: new Set(),
  };
  readonly #wake = () => this.#step({ kind: "wake" });
  readonly #look = () => {
    if (document.visibilityState === "visible") this.#wake();
  };
  #socket: WebSocketLike | undefined;
  #reading: AbortController | undefined;
  #inputs: Input[] = [];
  #busy = false;
  #listening = false;

  constructor(options: AlertSocketOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const terms = {
      ...TERMS,
      renewable: typeof options.token === "function",
      workspaceId: options.workspaceId,
      ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
      ...(options.pingInterval === undefined ? {} : { pingInterval: options.pingInterval }),
      ...(options.pollInterval === undefined ? {} : { pollInterval: options.pollInterval }),
    };
    this.#machine = new Machine(terms, options.random ?? Math.random);
  }

  get state(): State {
    return this.#machine.state;
  }

  /** Where a subscription stands; give it to `subscribe` after a reload of the page. */
  position(frameworkId?: string): Position | undefined {
    return this.#machine.subscriptions.position(frameworkId ?? null);
  }

  /** Listen; what it returns stops that. */
  on<E extends keyof Events>(event: E, listener: Events[E]): () => void {
    this.#listeners[event].add(listener);
    return () => void this.#listeners[event].delete(listener);
  }

  connect(): void {
    this.#listen(true);
    this.#step({ kind: "connect" });
  }

  disconnect(): void {
    this.#listen(false);
    this.#step({ kind: "disconnect" });
  }

  /** Follow a framework, or the whole workspace: from `since` on (a list's `epoch` and `offset`), or from now. */
  subscribe(frameworkId?: string, since?: Position): void {
    this.#step({ kind: "subscribe", scope: frameworkId ?? null, ...(since === undefined ? {} : { since }) });
  }

  unsubscribe(frameworkId?: string): void {
    this.#step({ kind: "unsubscribe", scope: frameworkId ?? null });
  }

  /** One input after the other, also where a listener asks for something in the middle of one. */
  #step(input: Input): void {
    this.#inputs.push(input);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        for (const effect of this.#machine.step(next, this.#clock.now())) this.#carryOut(effect);
      }
    } finally {
      this.#busy = false;
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "token":
        return this.#askForToken();
      case "open":
        return this.#open();
      case "close":
        return this.#close();
      case "send":
        return this.#socket?.send(JSON.stringify(effect.frame));
      case "poll":
        return void this.#poll(effect.scope, effect.after);
      case "start":
        this.#stop(effect.timer);
        this.#timers.set(
          effect.timer,
          this.#clock.setTimeout(() => {
            this.#timers.delete(effect.timer);
            this.#step({ kind: "timer", timer: effect.timer });
          }, effect.after),
        );
        return;
      case "stop":
        if (effect.timer === "poll") this.#reading?.abort();
        return this.#stop(effect.timer);
      case "emit":
        return this.#emit(effect.event, effect.with);
    }
  }

  #stop(timer: Timer): void {
    this.#clock.clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
  }

  #emit<E extends keyof Events>(event: E, values: Parameters<Events[E]>): void {
    for (const listener of [...this.#listeners[event]]) {
      try {
        (listener as (...given: Parameters<Events[E]>) => void)(...values);
      } catch (error) {
        // A listener's fault is its own: it must not keep the next one from hearing, nor lose an alert.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #askForToken(): void {
    const { token } = this.#options;
    if (token === undefined || typeof token === "string") return this.#step({ kind: "token", token });
    void tokenOf(token).then(
      (given) => this.#step({ kind: "token", token: given }),
      (error: unknown) => this.#step({ kind: "tokenFailed", message: String(error) }),
    );
  }

  #open(): void {
    this.#close();
    const { WebSocket: given, baseUrl } = this.#options;
    let socket: WebSocketLike;
    try {
      socket = new (given ?? globalSocket())(liveUrl(baseUrl), [SUBPROTOCOL]);
    } catch (error) {
      return this.#step({ kind: "closed", code: GONE, reason: String(error) });
    }
    this.#socket = socket;
    const whileCurrent = (input: Input | undefined) => {
      if (socket === this.#socket && input !== undefined) this.#step(input);
    };
    socket.onopen = () => whileCurrent({ kind: "opened" });
    socket.onmessage = (event: { data: unknown }) => {
      const frame = parseFrame(event.data);
      whileCurrent(frame && { kind: "frame", frame });
    };
    socket.onclose = (event: { code: number; reason: string }) => {
      whileCurrent({ kind: "closed", code: event.code, reason: event.reason });
    };
    // Node.js 20 tells of a connection that could not be had by this alone. Whoever was told a code hears no error.
    socket.onerror = () => whileCurrent({ kind: "closed", code: GONE, reason: "the connection was lost" });
  }

  #close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
  }

  async #poll(scope: Scope, after: Position | undefined): Promise<void> {
    this.#reading?.abort();
    const reading = new AbortController();
    this.#reading = reading;
    let input: Input = { kind: "pollFailed" };
    try {
      const { baseUrl, token, fetch } = this.#options;
      const api = createApi({
        ...(baseUrl === undefined ? {} : { baseUrl }),
        ...(token === undefined ? {} : { token }),
        ...(fetch === undefined ? {} : { fetch }),
      });
      const query = { ...(scope === null ? {} : { framework_id: scope }), ...after };
      const { data } = await api.GET("/api/v1/feed", { params: { query }, signal: reading.signal, cache: "no-store" });
      if (data !== undefined) input = { kind: "polled", scope, page: data satisfies FeedPage };
    } catch {
      // The next read, or the next socket, may do better.
    }
    if (!reading.signal.aborted) this.#step(input);
  }

  /** In a page: try again when the network is back, and when somebody looks. */
  #listen(wanted: boolean): void {
    if (wanted === this.#listening || typeof window === "undefined" || typeof document === "undefined") return;
    this.#listening = wanted;
    const change = wanted ? "addEventListener" : "removeEventListener";
    window[change]("online", this.#wake);
    document[change]("visibilitychange", this.#look);
  }
}

const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
};

function globalSocket(): WebSocketClass {
  const found: WebSocketClass | undefined = globalThis.WebSocket;
  if (found === undefined) throw new Error("there is no WebSocket here: use Node.js 22 or newer, or give one");
  return found;
}

function liveUrl(baseUrl: string | undefined): string {
  const url = new URL("ws", `${(baseUrl ?? location.origin).replace(/\/+$/, "")}/`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
