import { type Alert, type AlertFrame, AlertSocket, type Api } from "@convex-alerts/client";
import { answered } from "../rest/answered";
import { fetchSigned, Refused } from "../session/session";
import { AlertStore } from "./AlertStore";
import type { Filter } from "./filter";
import { Pace } from "./Pace";

/** How the page stands with the server; `offline` is the browser's own word. */
export type LinkState =
  | "connecting"
  | "connected"
  | "stale"
  | "reconnecting"
  | "polling"
  | "offline"
  | "failed"
  | "refused";

export interface Link {
  readonly state: LinkState;
  /** When the next try begins, by this machine's clock. */
  readonly retryAt: number | null;
  readonly problem: string | null;
}

export interface Loading {
  /** The alerts that are open are all there. */
  readonly complete: boolean;
  readonly problem: string | null;
}

const PAGE = 200;
const MOST_OPEN = 15_000;
const FRESH = 4000;

/**
 * The alerts of one workspace, live: loaded by REST, followed by the feed from exactly there.
 *
 * The feed is asked for everything after the first page's position, so what changes while the others are read arrives
 * by it, and the store takes the higher version of each. One of these lives as long as somebody is signed in.
 */
export class Live {
  readonly store = new AlertStore();
  readonly #pace = new Pace(() => this.store.flush());
  readonly #api: Api;
  readonly #socket: AlertSocket;
  readonly #listeners = new Set<() => void>();
  readonly #news = new Set<(alert: Alert) => void>();
  readonly #changes = new Set<(frame: AlertFrame) => void>();
  readonly #fresh = new Map<string, number>();
  #link: Link = { state: "connecting", retryAt: null, problem: null };
  #loading: Loading = { complete: false, problem: null };
  #load = 0;
  #stopped = false;
  #onRefused: () => void;

  constructor(api: Api, onRefused: () => void) {
    this.#api = api;
    this.#onRefused = onRefused;
    this.#socket = new AlertSocket({ maxAttempts: Number.MAX_SAFE_INTEGER, fetch: fetchSigned });
    this.#socket.on("alert", (frame) => this.#heard(frame));
    this.#socket.on("gap", () => void this.#reload());
    this.#socket.on("state", (state, { retryIn }) => {
      if (state === "idle" || state === "closed") return;
      const kept = state === "failed" ? this.#link.problem : null;
      this.#tell({ state, retryAt: retryIn === undefined ? null : Date.now() + retryIn, problem: kept });
    });
    this.#socket.on("error", ({ message, final }) => {
      if (!final) return;
      this.#tell({ state: "refused", retryAt: null, problem: message });
      this.#onRefused();
    });
  }

  start(): void {
    this.#stopped = false;
    window.addEventListener("online", this.#network);
    window.addEventListener("offline", this.#network);
    void this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    this.#load += 1;
    window.removeEventListener("online", this.#network);
    window.removeEventListener("offline", this.#network);
    this.#socket.disconnect();
  }

  /** Tries at once, and reads anew. */
  retry = (): void => {
    this.#socket.connect();
    if (this.#loading.problem !== null) void this.#begin();
  };

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  link = (): Link => this.#link;
  loading = (): Loading => this.#loading;

  /** Hears of alerts that begin to fire. */
  onNews(listener: (alert: Alert) => void): () => void {
    this.#news.add(listener);
    return () => this.#news.delete(listener);
  }

  /** Hears of every change. */
  onChange(listener: (frame: AlertFrame) => void): () => void {
    this.#changes.add(listener);
    return () => this.#changes.delete(listener);
  }

  /** Whether it has begun to fire just now. */
  isFresh(id: string): boolean {
    const since = this.#fresh.get(id);
    return since !== undefined && Date.now() - since < FRESH;
  }

  /** What is told by an answer of REST, rather than by the feed. */
  take(alert: Alert): void {
    if (this.store.take(alert)) this.draw();
  }

  /** Has the store tell what changed, as often as it does not get in the reader's way. */
  draw(): void {
    this.#pace.ask();
  }

  /** Loads what a view needs beyond what is open; answers the cursor of what is older. */
  async older(filter: Filter, cursor: string | null): Promise<string | null> {
    const { severity, framework, type, text } = filter;
    const page = await answered(
      this.#api.GET("/api/v1/alerts", {
        params: {
          query: {
            limit: PAGE,
            ...(filter.status === "all" ? {} : { status: ["resolved" as const] }),
            ...(severity.length ? { severity: severity as Alert["severity"][] } : {}),
            ...(framework ? { framework_id: framework } : {}),
            ...(type ? { alert_type: type as never } : {}),
            // The server looks for the text as a whole, the list for each word: the longest narrows, the list does the rest.
            ...(text ? { q: longestWord(text) } : {}),
            ...(cursor === null ? {} : { cursor }),
          },
        },
      }),
    );
    for (const alert of page.items) this.store.take(alert);
    this.draw();
    return page.next_cursor;
  }

  readonly #network = () => {
    if (navigator.onLine) this.#tell({ ...this.#link });
    else this.#tell({ state: "offline", retryAt: null, problem: null });
  };

  #tell(link: Link): void {
    const offline = !navigator.onLine && link.state !== "connected" && link.state !== "refused";
    this.#link = offline ? { ...link, state: "offline" } : link;
    for (const listener of this.#listeners) listener();
  }

  #heard(frame: AlertFrame): void {
    const alert = frame.data;
    const begins = (frame.event === "created" || frame.event === "reopened") && alert.status === "firing";
    if (!this.store.take(alert)) return;
    if (begins) {
      const now = Date.now();
      this.#fresh.set(alert.id, now);
      if (this.#fresh.size > 500) for (const [id, at] of this.#fresh) if (now - at > FRESH) this.#fresh.delete(id);
      for (const listener of this.#news) listener(alert);
    }
    for (const listener of this.#changes) listener(frame);
    this.draw();
  }

  async #begin(): Promise<void> {
    await this.#reload((since) => {
      this.#socket.subscribe(undefined, since);
      this.#socket.connect();
    });
  }

  /** Everything that is open, and what was resolved last. */
  async #reload(onPosition?: (since: { epoch: string; offset: number }) => void): Promise<void> {
    this.#load += 1;
    const mine = this.#load;
    let told = onPosition;
    for (let attempt = 0; mine === this.#load && !this.#stopped; attempt += 1) {
      try {
        this.store.reloading();
        let cursor: string | undefined;
        let count = 0;
        do {
          const page = await answered(
            this.#api.GET("/api/v1/alerts", {
              params: { query: { limit: PAGE, status: ["firing", "acknowledged"], ...(cursor ? { cursor } : {}) } },
            }),
          );
          if (mine !== this.#load) return;
          told?.({ epoch: page.epoch, offset: page.offset });
          told = undefined;
          for (const alert of page.items) this.store.take(alert);
          this.draw();
          count += page.items.length;
          cursor = page.next_cursor ?? undefined;
        } while (cursor !== undefined && count < MOST_OPEN);
        this.store.reloaded();
        this.#progress({ complete: true, problem: null });
        this.draw();
        return;
      } catch (error) {
        if (mine !== this.#load) return;
        if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
          this.#onRefused();
          return;
        }
        this.#progress({ ...this.#loading, problem: error instanceof Error ? error.message : String(error) });
        await new Promise((resume) => setTimeout(resume, Math.min(20_000, 1000 * 2 ** attempt)));
      }
    }
  }

  #progress(loading: Loading): void {
    this.#loading = loading;
    for (const listener of this.#listeners) listener();
  }
}

function longestWord(text: string): string {
  return text.split(/\s+/).reduce((longest, word) => (word.length > longest.length ? word : longest), "");
}
