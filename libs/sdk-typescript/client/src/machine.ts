/** Decides what a client of the live feed does next. No clock, no socket, no timer: inputs go in, effects come out. */
import { LAST, pauseBefore } from "./backoff.ts";
import { GONE, TOKEN_EXPIRED, verdictOf } from "./closing.ts";
import type { AlertFrame, AuthSuccessFrame, ClientFrame, ErrorFrame, Position, ServerFrame } from "./frames.ts";
import { type FeedPage, type Gap, type Scope, Subscriptions } from "./subscriptions.ts";
import type { Notification } from "./types.ts";

export type State = "idle" | "connecting" | "connected" | "stale" | "reconnecting" | "polling" | "failed" | "closed";

/** Why something did not work; `code` is the server's, a close code as text, or one of this client's own words. */
export interface Fault {
  readonly code: string;
  readonly message: string;
  /** Nothing more is tried until somebody calls `connect`. */
  readonly final: boolean;
}

export interface StateDetail {
  /** How many tries have failed in a row. */
  readonly attempt: number;
  /** Milliseconds until the next try, while one is waited for. */
  readonly retryIn?: number;
}

export interface Events {
  alert: (alert: AlertFrame) => void;
  position: (offset: number) => void;
  message: (data: unknown) => void;
  notification: (notification: Notification) => void;
  state: (state: State, detail: StateDetail) => void;
  error: (fault: Fault) => void;
  gap: (gap: Gap) => void;
}

export type Timer = "retry" | "answer" | "ping" | "stable" | "renew" | "poll";

export type Input =
  | { readonly kind: "connect" | "disconnect" | "wake" | "opened" | "pollFailed" }
  | { readonly kind: "subscribe"; readonly scope: Scope; readonly since?: Position }
  | { readonly kind: "unsubscribe"; readonly scope: Scope }
  | { readonly kind: "token"; readonly token: string | undefined }
  | { readonly kind: "tokenFailed"; readonly message: string }
  | { readonly kind: "frame"; readonly frame: ServerFrame }
  | { readonly kind: "closed"; readonly code: number; readonly reason: string }
  | { readonly kind: "timer"; readonly timer: Timer }
  | { readonly kind: "polled"; readonly scope: Scope; readonly page: FeedPage };

export type Effect =
  | { readonly do: "token" }
  | { readonly do: "open" }
  | { readonly do: "send"; readonly frame: ClientFrame }
  | { readonly do: "close" }
  | { readonly do: "start"; readonly timer: Timer; readonly after: number }
  | { readonly do: "stop"; readonly timer: Timer }
  | { readonly do: "poll"; readonly scope: Scope; readonly after: Position | undefined }
  | {
      [E in keyof Events]: { readonly do: "emit"; readonly event: E; readonly with: Parameters<Events[E]> };
    }[keyof Events];

export interface Terms {
  /** Tries in a row that may fail; 0 for one try alone. */
  readonly maxAttempts: number;
  /** Milliseconds between pings, and until an answer (of any kind) has to be there. */
  readonly pingInterval: number;
  readonly answerWithin: number;
  /** How long a connection has to last before the tries are counted anew. */
  readonly stableAfter: number;
  /** Milliseconds between reads by REST while sockets cannot be had; 0: never read by REST. */
  readonly pollInterval: number;
  /** After so many tries without a single sign-in it reads by REST. */
  readonly pollAfter: number;
  /** The workspace that the token has to be of; any where it is undefined. */
  readonly workspaceId: string | undefined;
  /** Whether asking for the token again may give another one. */
  readonly renewable: boolean;
}

export const TERMS: Terms = {
  maxAttempts: 10,
  pingInterval: 30_000,
  answerWithin: 10_000,
  stableAfter: 10_000,
  pollInterval: 5_000,
  pollAfter: 3,
  workspaceId: undefined,
  renewable: false,
};

type Phase = "idle" | "token" | "opening" | "signing in" | "open" | "waiting" | "failed" | "closed";

const RENEW_BEFORE = 60_000;
const SOONEST_RENEWAL = 1_000;
const LONGEST_TIMER = 2 ** 31 - 1;
const TRYING: ReadonlySet<Phase> = new Set(["token", "opening", "signing in", "open"]);
const CONNECTION_TIMERS: readonly Timer[] = ["answer", "ping", "stable", "renew"];

export class Machine {
  readonly subscriptions = new Subscriptions();
  #phase: Phase = "idle";
  #state: State = "idle";
  #attempt = 0;
  /** Tries in a row that ended before anybody was signed in. */
  #shutOut = 0;
  #stale = false;
  #renewing = false;
  #token: string | undefined;
  #retryAfter: number | undefined;
  #refusal: string | undefined;
  /** Told that another try would end the same way. */
  #barred = false;
  #polling = false;
  /** The scopes that are still to be read in this round, while a read is under way. */
  #reading: Scope[] | undefined;
  #readable = false;
  #readFailures = 0;
  #effects: Effect[] = [];

  private readonly terms: Terms;
  private readonly random: () => number;

  constructor(terms: Terms, random: () => number) {
    this.terms = terms;
    this.random = random;
  }

  get state(): State {
    return this.#state;
  }

  /** Take one input at a time, in milliseconds since the epoch; the effects are to be carried out in order. */
  step(input: Input, now: number): Effect[] {
    this.#effects = [];
    this.#take(input, now);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #take(input: Input, now: number): void {
    switch (input.kind) {
      case "connect":
        if (this.#phase === "idle" || this.#phase === "closed" || this.#phase === "failed") this.#begin();
        else if (this.#phase === "waiting") this.#try();
        return;
      case "disconnect":
        return this.#end("closed");
      case "wake":
        return this.#wake();
      case "subscribe":
        return this.#subscribe(input.scope, input.since);
      case "unsubscribe":
        return this.#unsubscribe(input.scope);
      case "token":
        return this.#withToken(input.token);
      case "tokenFailed":
        this.#complain("token", input.message);
        this.#renewing = false; // where one is open, 4501 asks once more
        if (this.#phase === "token") this.#lost();
        return;
      case "opened":
        return this.#opened();
      case "frame":
        return this.#frame(input.frame, now);
      case "closed":
        return this.#closed(input.code, input.reason);
      case "timer":
        return this.#timer(input.timer);
      case "polled":
        return this.#read(input.scope, input.page);
      case "pollFailed":
        return this.#unread();
    }
  }

  // ---- one try

  #begin(): void {
    this.#attempt = 0;
    this.#shutOut = 0;
    this.#try();
  }

  #try(): void {
    this.#stop("retry");
    this.#retryAfter = undefined;
    this.#refusal = undefined;
    this.#barred = false;
    this.#phase = "token";
    this.#do({ do: "token" });
    this.#start("answer", this.terms.answerWithin);
    this.#tell();
  }

  #withToken(token: string | undefined): void {
    if (this.#phase === "token") {
      this.#token = token;
      this.#phase = "opening";
      this.#do({ do: "open" });
      this.#start("answer", this.terms.answerWithin);
    } else if (this.#phase === "open" && this.#renewing && token !== undefined) {
      this.#send({ type: "auth", token });
    }
  }

  /** By a frame, since proxies log headers. Without a token the cookie signs in, and the server speaks first. */
  #opened(): void {
    if (this.#phase !== "opening") return;
    this.#phase = "signing in";
    if (this.#token !== undefined) this.#send({ type: "auth", token: this.#token });
    this.#token = undefined;
  }

  #signedIn(frame: AuthSuccessFrame, now: number): void {
    const wanted = this.terms.workspaceId;
    if (wanted !== undefined && wanted !== frame.workspace_id) {
      this.#barred = true;
      this.#complain("workspace", `the token is of workspace ${frame.workspace_id}, not of ${wanted}`, true);
      return this.#end("failed");
    }
    this.#stop("renew");
    if (frame.expires_at !== null && this.terms.renewable) {
      const left = Date.parse(frame.expires_at) - now;
      if (Number.isFinite(left)) {
        this.#start(
          "renew",
          Math.max(SOONEST_RENEWAL, Math.min(LONGEST_TIMER, left - Math.min(RENEW_BEFORE, left / 4))),
        );
      }
    }
    if (this.#phase === "open") {
      this.#renewing = false;
      return;
    }
    this.#phase = "open";
    this.#shutOut = 0;
    this.#stale = false;
    this.#stop("answer");
    this.#start("ping", this.terms.pingInterval);
    this.#start("stable", this.terms.stableAfter);
    this.#stopReading();
    for (const scope of this.subscriptions.scopes) this.#sendSubscribe(scope);
    this.#tell();
  }

  #timer(timer: Timer): void {
    switch (timer) {
      case "retry":
        if (this.#phase === "waiting") this.#try();
        return;
      case "answer":
        // A connection that has gone silent may take minutes to close by itself.
        this.#do({ do: "close" });
        return this.#closed(GONE, "the server does not answer");
      case "ping":
        if (this.#phase === "open") this.#ping();
        return;
      case "stable":
        if (this.#phase === "open") this.#attempt = 0;
        return;
      case "renew":
        if (this.#phase !== "open") return;
        this.#renewing = true;
        return this.#do({ do: "token" });
      case "poll":
        if (this.#polling) this.#readNext(this.subscriptions.scopes);
        return;
    }
  }

  #ping(): void {
    this.#send({ type: "ping" });
    this.#start("answer", this.terms.answerWithin);
    this.#start("ping", this.terms.pingInterval);
  }

  /** The network may be back, or somebody looks at the page again. */
  #wake(): void {
    if (this.#phase === "waiting") return this.#try();
    if (this.#phase === "open") return this.#ping();
    if (this.#phase === "failed" && !this.#barred) this.#begin();
  }

  // ---- its end

  #closed(code: number, reason: string): void {
    if (!TRYING.has(this.#phase)) return;
    const verdict = verdictOf(code);
    const message = this.#refusal ?? (reason || `the connection was closed (${code})`);
    if (verdict === "stop") {
      this.#barred = true;
      this.#complain(String(code), message, true);
      return this.#end("failed");
    }
    if (code !== TOKEN_EXPIRED) this.#complain(String(code), message);
    this.#lost(verdict === "renew");
  }

  /** Come back later, if there is a later; `atOnce` where the only trouble was the token's age. */
  #lost(atOnce = false): void {
    const wasIn = this.#phase === "open";
    for (const timer of CONNECTION_TIMERS) this.#stop(timer);
    this.#renewing = false;
    this.subscriptions.disconnected();
    if (!wasIn) this.#shutOut += 1;
    this.#attempt += 1;
    this.#phase = "waiting";
    const pollAfter = Math.min(this.terms.pollAfter, this.terms.maxAttempts);
    if (this.#shutOut > pollAfter && this.terms.pollInterval > 0 && !this.#polling) this.#startReading();
    if (this.#isExhausted()) return this.#giveUp();
    const pause = this.#pause(atOnce && wasIn);
    this.#start("retry", pause);
    this.#tell(pause);
  }

  #pause(atOnce: boolean): number {
    if (this.#retryAfter !== undefined) return this.#retryAfter + pauseBefore(0, this.random);
    if (atOnce && this.#attempt === 1) return 0;
    // While REST serves, another look at the socket now and then is enough.
    return this.#attempt > this.terms.maxAttempts ? LAST : pauseBefore(this.#attempt - 1, this.random);
  }

  /** Nothing is left to be tried: neither the socket nor REST. */
  #isExhausted(): boolean {
    const { maxAttempts } = this.terms;
    return this.#attempt > maxAttempts && (!this.#polling || this.#readFailures > maxAttempts);
  }

  #giveUp(): void {
    this.#complain("attempts", `gave up after ${this.#attempt} tries`, true);
    this.#end("failed");
  }

  #end(phase: "failed" | "closed"): void {
    for (const timer of CONNECTION_TIMERS) this.#stop(timer);
    this.#stop("retry");
    this.#stopReading();
    this.#do({ do: "close" });
    this.subscriptions.disconnected();
    this.#renewing = false;
    this.#phase = phase;
    this.#tell();
  }

  // ---- what comes and goes over it

  #frame(frame: ServerFrame, now: number): void {
    if (this.#phase !== "signing in" && this.#phase !== "open") return;
    if (this.#phase === "open") this.#stop("answer"); // anything that is heard is a sign of life
    switch (frame.type) {
      case "auth_success":
        return this.#signedIn(frame, now);
      case "auth_failed":
        this.#refusal = frame.message;
        return;
      case "subscribed": {
        const gap = this.subscriptions.subscribed(frame);
        this.#fresh();
        if (gap !== undefined) this.#emit("gap", gap);
        return;
      }
      case "alert":
        if (this.subscriptions.take(frame)) this.#emit("alert", frame);
        return;
      case "position":
        this.subscriptions.moved(frame.offset);
        this.#fresh();
        this.#emit("position", frame.offset);
        return;
      case "message":
        return this.#emit("message", frame.data);
      case "notification":
        return this.#emit("notification", frame.data);
      case "error":
        return this.#told(frame);
      case "pong":
      case "unsubscribed":
        return;
    }
  }

  #told(frame: ErrorFrame): void {
    if (frame.code === "stale") {
      this.#stale = true;
      return this.#tell();
    }
    if (frame.code === "restart") {
      const seconds = frame.retry_after;
      if (seconds !== undefined && seconds >= 0) this.#retryAfter = Math.min(seconds * 1000, LAST);
      return;
    }
    this.#complain(frame.code, frame.message);
  }

  #fresh(): void {
    this.#stale = false;
    this.#tell();
  }

  #subscribe(scope: Scope, since: Position | undefined): void {
    if (this.subscriptions.add(scope, since) && this.#phase === "open") this.#sendSubscribe(scope);
  }

  #sendSubscribe(scope: Scope): void {
    const since = this.subscriptions.position(scope);
    this.#send({
      type: "subscribe",
      ...(scope === null ? {} : { framework_id: scope }),
      ...(since === undefined ? {} : { since }),
    });
  }

  #unsubscribe(scope: Scope): void {
    if (!this.subscriptions.remove(scope) || this.#phase !== "open") return;
    this.#send({ type: "unsubscribe", ...(scope === null ? {} : { framework_id: scope }) });
  }

  // ---- REST, where a proxy lets no socket through

  #startReading(): void {
    this.#polling = true;
    this.#readable = false;
    this.#readFailures = 0;
    this.#readNext(this.subscriptions.scopes);
  }

  #stopReading(): void {
    this.#stop("poll"); // and what is under way
    this.#reading = undefined;
    this.#polling = false;
    this.#readable = false;
  }

  /** The scopes one after the other, the whole workspace first; then a pause. */
  #readNext(scopes: Scope[]): void {
    const [scope, ...rest] = scopes;
    if (scope === undefined) {
      this.#reading = undefined;
      return this.#pollLater();
    }
    this.#reading = rest;
    this.#do({ do: "poll", scope, after: this.subscriptions.position(scope) });
  }

  #read(scope: Scope, page: FeedPage): void {
    if (this.#reading === undefined) return;
    this.#readable = true;
    this.#readFailures = 0;
    const { fresh, gap } = this.subscriptions.read(scope, page);
    this.#tell();
    if (gap !== undefined) this.#emit("gap", gap);
    for (const frame of fresh) this.#emit("alert", frame);
    this.#readNext(page.more && gap === undefined ? [scope, ...this.#reading] : this.#reading);
  }

  #unread(): void {
    if (this.#reading === undefined) return;
    this.#reading = undefined;
    this.#readable = false;
    this.#readFailures += 1;
    if (this.#isExhausted()) return this.#giveUp();
    this.#pollLater();
    this.#tell();
  }

  #pollLater(): void {
    this.#start("poll", this.terms.pollInterval * (0.5 + this.random()));
  }

  // ---- effects

  #do(effect: Effect): void {
    this.#effects.push(effect);
  }

  #send(frame: ClientFrame): void {
    this.#do({ do: "send", frame });
  }

  #start(timer: Timer, after: number): void {
    this.#do({ do: "start", timer, after });
  }

  #stop(timer: Timer): void {
    this.#do({ do: "stop", timer });
  }

  #emit<E extends keyof Events>(event: E, ...values: Parameters<Events[E]>): void {
    this.#do({ do: "emit", event, with: values } as Effect);
  }

  #complain(code: string, message: string, final = false): void {
    this.#emit("error", { code, message, final });
  }

  #tell(retryIn?: number): void {
    const state = this.#named();
    if (state === this.#state && retryIn === undefined) return;
    this.#state = state;
    this.#emit("state", state, { attempt: this.#attempt, ...(retryIn === undefined ? {} : { retryIn }) });
  }

  #named(): State {
    if (this.#phase === "idle" || this.#phase === "closed" || this.#phase === "failed") return this.#phase;
    if (this.#phase === "open") return this.#stale ? "stale" : "connected";
    if (this.#polling && this.#readable) return "polling";
    return this.#attempt === 0 ? "connecting" : "reconnecting";
  }
}
