/** What is subscribed to, and what of it has been had: decides whether an alert is new. No clock, no I/O. */
import type { AlertFrame, Position, SubscribedFrame } from "./frames.ts";

/** A framework's id, or null for the whole workspace. */
export type Scope = string | null;

interface Subscription {
  /** Where it stands; undefined before the server has said so. */
  epoch: string | undefined;
  /** Everything with `from` < offset ≤ `to` has been had. */
  from: number;
  to: number;
  /** Whether this connection has it: only then do alerts and positions move it on. */
  active: boolean;
}

/** A gap: what was missed is too old to be replayed, or the history is another one. Reload by REST. */
export interface Gap extends Position {
  readonly frameworkId: Scope;
}

export class Subscriptions {
  #all = new Map<Scope, Subscription>();
  #replay: { scope: Scope; left: number; offset: number } | undefined;

  /** The whole workspace first: its replay has everything in order, and the frameworks' then only what is further back. */
  get scopes(): Scope[] {
    return [...this.#all.keys()].sort((a, b) => Number(a !== null) - Number(b !== null));
  }

  has(scope: Scope): boolean {
    return this.#all.has(scope);
  }

  /** False if it is there already, which changes nothing. */
  add(scope: Scope, since?: Position): boolean {
    if (this.#all.has(scope)) return false;
    const offset = since?.offset ?? 0;
    this.#all.set(scope, { epoch: since?.epoch, from: offset, to: offset, active: false });
    return true;
  }

  remove(scope: Scope): boolean {
    return this.#all.delete(scope);
  }

  /** Where to resume; undefined where it begins now. */
  position(scope: Scope): Position | undefined {
    const one = this.#all.get(scope);
    return one?.epoch === undefined ? undefined : { epoch: one.epoch, offset: one.to };
  }

  /** The connection is gone: nothing is active until the next one has subscribed. */
  disconnected(): void {
    this.#replay = undefined;
    for (const one of this.#all.values()) one.active = false;
  }

  /** Take the server's answer; a gap where something was missed. */
  subscribed(frame: SubscribedFrame): Gap | undefined {
    const scope = frame.framework_id;
    const one = this.#all.get(scope);
    if (one === undefined) return undefined;
    const resumed = one.epoch !== undefined;
    const lost = resumed && (!frame.recovered || one.epoch !== frame.epoch);
    one.active = true;
    if (!resumed || lost) {
      one.from = frame.offset;
      one.to = frame.offset;
    } else if (frame.replayed === 0) {
      one.to = Math.max(one.to, frame.offset);
    }
    one.epoch = frame.epoch;
    // During a replay each alert moves it on: a connection that breaks within resumes within.
    this.#replay = frame.replayed > 0 && !lost ? { scope, left: frame.replayed, offset: frame.offset } : undefined;
    return lost ? { frameworkId: scope, epoch: frame.epoch, offset: frame.offset } : undefined;
  }

  /** Whether an alert is new: each offset is, once. */
  take(frame: AlertFrame): boolean {
    const fits = this.#fitting(frame);
    const isNew = fits.length > 0 && !fits.some(([, one]) => one.from < frame.offset && frame.offset <= one.to);
    for (const [, one] of fits) if (one.active) one.to = Math.max(one.to, frame.offset);
    if (this.#replay !== undefined) {
      this.#replay.left -= 1;
      if (this.#replay.left === 0) {
        const replayed = this.#all.get(this.#replay.scope);
        if (replayed?.active) replayed.to = Math.max(replayed.to, this.#replay.offset);
        this.#replay = undefined;
      }
    }
    return isNew;
  }

  /** The workspace's feed stands at this offset, and everything before it has been sent. */
  moved(offset: number): void {
    if (this.#replay !== undefined) return;
    for (const one of this.#all.values()) if (one.active) one.to = Math.max(one.to, offset);
  }

  /** Take a page of the feed that was read by REST for one scope; what of it is new. */
  read(scope: Scope, page: FeedPage): { fresh: AlertFrame[]; gap: Gap | undefined } {
    const one = this.#all.get(scope);
    if (one === undefined) return { fresh: [], gap: undefined };
    const began = one.epoch === undefined;
    const lost = !began && (!page.recovered || one.epoch !== page.epoch);
    if (began || lost) {
      one.epoch = page.epoch;
      one.from = page.offset;
      one.to = page.offset;
      const gap = { frameworkId: scope, epoch: page.epoch, offset: page.offset };
      return { fresh: [], gap: lost ? gap : undefined };
    }
    const fresh: AlertFrame[] = [];
    for (const frame of page.items) {
      const had = this.#fitting(frame).some(([, other]) => other.from < frame.offset && frame.offset <= other.to);
      one.to = Math.max(one.to, frame.offset);
      if (!had) fresh.push(frame);
    }
    one.to = Math.max(one.to, page.offset);
    return { fresh, gap: undefined };
  }

  #fitting(frame: AlertFrame): [Scope, Subscription][] {
    return [...this.#all].filter(([scope]) => scope === null || scope === frame.data.framework_id);
  }
}

/** `GET /api/v1/feed`: what came after a position, as the socket would have sent it. */
export interface FeedPage extends Position {
  readonly recovered: boolean;
  readonly more: boolean;
  readonly items: readonly AlertFrame[];
}
