/** A gateway's live feed as the contract says it, and a client's machine that talks to it; connections are cut at will. */
import type { AlertFrame, ClientFrame, ServerFrame } from "../src/frames.ts";
import { type Effect, type Fault, type Input, Machine, type State, TERMS, type Terms } from "../src/machine.ts";
import type { FeedPage, Gap, Scope } from "../src/subscriptions.ts";
import type { Alert } from "../src/types.ts";

const ALERT: Omit<Alert, "framework_id"> = {
  id: "0190b6e0-0000-7000-8000-000000000001",
  fingerprint: "f",
  status: "firing",
  severity: "warning",
  alert_type: "threshold",
  rule_id: null,
  rule_name: "slow",
  title: "slow: latency above 10",
  current_value: 12,
  threshold_value: 10,
  labels: {},
  context: {},
  occurrences: 1,
  triggered_at: "2026-01-01T00:00:00Z",
  last_seen_at: "2026-01-01T00:00:00Z",
  acknowledged_by: null,
  acknowledged_at: null,
  resolved_by: null,
  resolved_at: null,
  resolution_notes: null,
  verdicts: { useful: 0, false_alarm: 0 },
  version: 1,
};

export function alertFrame(offset: number, framework: string): AlertFrame {
  return { type: "alert", event: "created", offset, data: { ...ALERT, framework_id: framework } };
}

/** One workspace's log. Its sockets are queues of frames that a test hands over one by one, or loses. */
export class ModelGateway {
  epoch = "epoch-1";
  log: AlertFrame[] = [];
  /** Replays reach back to here. */
  oldest = 1;
  #interests = new Map<Scope, number>();
  #frames: ServerFrame[] = [];

  commit(framework: string): void {
    const frame = alertFrame(this.log.length + 1, framework);
    this.log.push(frame);
    if (this.#wants(frame)) this.#frames.push(frame);
    else if (this.#interests.size > 0) this.#frames.push({ type: "position", offset: frame.offset });
  }

  /** A restore: another history. */
  restore(): void {
    this.epoch = `${this.epoch}'`;
    this.log = [];
  }

  opened(): void {
    this.#interests.clear();
    this.#frames = [];
  }

  receive(frame: ClientFrame): void {
    switch (frame.type) {
      case "auth":
        return void this.#frames.push({
          type: "auth_success",
          client_id: "c",
          workspace_id: "w",
          user_id: "u",
          expires_at: null,
          heartbeat_interval: 30_000,
        });
      case "ping":
        return void this.#frames.push({ type: "pong" });
      case "unsubscribe":
        this.#interests.delete(frame.framework_id ?? null);
        return;
      case "subscribe": {
        const scope = frame.framework_id ?? null;
        const offset = this.log.length;
        const { since } = frame;
        const recovered =
          since === undefined ||
          (since.epoch === this.epoch && since.offset <= offset && since.offset + 1 >= this.oldest);
        const after = since !== undefined && recovered ? since.offset : offset;
        const missed = this.log.filter((f) => f.offset > after && fits(scope, f) && !this.#wants(f));
        this.#frames.push({
          type: "subscribed",
          channel: "",
          framework_id: scope,
          epoch: this.epoch,
          offset,
          recovered,
          replayed: missed.length,
        });
        this.#frames.push(...missed);
        this.#interests.set(scope, Math.min(after, this.#interests.get(scope) ?? after));
      }
    }
  }

  next(): ServerFrame | undefined {
    return this.#frames.shift();
  }

  page(scope: Scope, after: { epoch: string; offset: number } | undefined, limit: number): FeedPage {
    const offset = this.log.length;
    const { epoch } = this;
    if (after === undefined) return { epoch, offset, recovered: true, more: false, items: [] };
    const recovered = after.epoch === epoch && after.offset <= offset && after.offset + 1 >= this.oldest;
    if (!recovered) return { epoch, offset, recovered, more: false, items: [] };
    const found = this.log.filter((f) => f.offset > after.offset && fits(scope, f));
    const items = found.slice(0, limit);
    const more = found.length > limit;
    return { epoch, offset: more ? (items.at(-1)?.offset ?? offset) : offset, recovered, more, items };
  }

  #wants(frame: AlertFrame): boolean {
    return [...this.#interests].some(([scope, after]) => frame.offset > after && fits(scope, frame));
  }
}

function fits(scope: Scope, frame: AlertFrame): boolean {
  return scope === null || scope === frame.data.framework_id;
}

/** A machine whose effects are carried out against the model; what it told is written down. */
export class ModelClient {
  readonly machine: Machine;
  readonly alerts: AlertFrame[] = [];
  readonly gaps: Gap[] = [];
  readonly states: State[] = [];
  readonly faults: Fault[] = [];
  readonly sent: ClientFrame[] = [];
  readonly timers = new Map<string, number>();
  readonly gateway: ModelGateway;
  isOpen = false;
  opens = 0;
  polls: { scope: Scope; after: { epoch: string; offset: number } | undefined }[] = [];
  now = 0;

  constructor(gateway: ModelGateway, terms: Partial<Terms> = {}) {
    this.gateway = gateway;
    this.machine = new Machine({ ...TERMS, ...terms }, () => 0.5);
  }

  step(input: Input): Effect[] {
    const effects = this.machine.step(input, this.now);
    for (const effect of effects) this.#carryOut(effect);
    return effects;
  }

  /** Ring a timer that is set. */
  ring(timer: "retry" | "answer" | "ping" | "stable" | "renew" | "poll"): void {
    if (!this.timers.delete(timer)) throw new Error(`${timer} is not set`);
    this.step({ kind: "timer", timer });
  }

  /** Let the token and the socket come. */
  open(): void {
    this.step({ kind: "token", token: "t" });
    this.gateway.opened();
    this.isOpen = true;
    this.step({ kind: "opened" });
  }

  hear(count = Number.POSITIVE_INFINITY): void {
    for (let heard = 0; heard < count && this.isOpen; heard += 1) {
      const frame = this.gateway.next();
      if (frame === undefined) return;
      this.step({ kind: "frame", frame });
    }
  }

  lose(code = 1006, reason = ""): void {
    this.isOpen = false;
    this.step({ kind: "closed", code, reason });
  }

  poll(limit = 200): void {
    const asked = this.polls.shift();
    if (asked === undefined) return;
    this.step({ kind: "polled", scope: asked.scope, page: this.gateway.page(asked.scope, asked.after, limit) });
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "open":
        this.opens += 1;
        return;
      case "close":
        this.isOpen = false;
        return;
      case "send":
        this.sent.push(effect.frame);
        if (this.isOpen) this.gateway.receive(effect.frame);
        return;
      case "start":
        this.timers.set(effect.timer, effect.after);
        return;
      case "stop":
        if (effect.timer === "poll") this.polls = [];
        this.timers.delete(effect.timer);
        return;
      case "poll":
        this.polls = [{ scope: effect.scope, after: effect.after }];
        return;
      case "token":
        return;
      case "emit":
        if (effect.event === "alert") this.alerts.push(...effect.with);
        else if (effect.event === "gap") this.gaps.push(...effect.with);
        else if (effect.event === "state") this.states.push(effect.with[0]);
        else if (effect.event === "error") this.faults.push(...effect.with);
    }
  }
}
