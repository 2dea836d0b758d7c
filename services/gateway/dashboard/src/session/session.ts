/** The browser's session: a cookie that no script can read, and the word that has to come with every change. */

export type Role = "viewer" | "responder" | "editor" | "admin" | "owner";
export type Way = "token" | "oidc";

export interface Workspace {
  id: string;
  slug: string;
  name: string;
}

export interface Me {
  user_id: string;
  name: string;
  email: string | null;
  role: Role;
  operator: boolean;
  way: Way;
  expires_at: string;
  csrf_token: string;
  workspace: Workspace;
  workspaces: Workspace[];
}

export interface SessionState {
  ways: Way[];
  session: Me | null;
}

const ROLES: readonly Role[] = ["viewer", "responder", "editor", "admin", "owner"];

/** Whether a role may what `needed` may. */
export function mayAs(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** The server said no, or could not be asked (status 0). */
export class Refused extends Error {
  readonly status: number;
  /** The problem's fields, where the server told them. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(status: number, problem: Readonly<Record<string, unknown>> = {}) {
    super(words(status, problem));
    this.name = "Refused";
    this.status = status;
    this.problem = problem;
  }
}

function words(status: number, problem: Readonly<Record<string, unknown>>): string {
  for (const told of [problem["detail"], problem["title"]]) if (typeof told === "string" && told) return told;
  if (status === 0) return "The server cannot be reached.";
  return status === 503
    ? "The server is busy or its store is away. Try again in a moment."
    : `The server answered ${status}.`;
}

const SESSION = "/auth/session";
const PATIENCE = 20_000;
let csrf: string | null = null;
let doubted: (() => void) | null = null;

/** Who hears that the session may have ended, or that another tab has begun another one. */
export function whenDoubted(listener: () => void): () => void {
  doubted = listener;
  return () => {
    if (doubted === listener) doubted = null;
  };
}

/** As the browser's own, with the session's word, and with failures to connect told apart. */
export async function fetchSigned(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const headers = new Headers(request.headers);
  if (request.method !== "GET" && csrf !== null) headers.set("X-CSRF-Token", csrf);
  if (request.method === "POST" && !headers.has("Idempotency-Key") && request.url.includes("/api/")) {
    headers.set("Idempotency-Key", crypto.getRandomValues(new Uint8Array(16)).reduce(hex, ""));
  }
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(PATIENCE)]);
  try {
    const answer = await fetch(
      new Request(request, { headers, signal, credentials: "same-origin", cache: "no-store" }),
    );
    const refused = answer.status === 401 || (answer.status === 403 && request.method !== "GET");
    if (refused && request.url.includes("/api/")) doubted?.();
    return answer;
  } catch (failure) {
    if (request.signal.aborted) throw failure;
    throw new Refused(0);
  }
}

const hex = (text: string, byte: number): string => text + byte.toString(16).padStart(2, "0");

async function ask(method: string, body?: unknown): Promise<SessionState> {
  const init: RequestInit = { method, headers: { Accept: "application/json", "Content-Type": "application/json" } };
  const answer = await fetchSigned(SESSION, body === undefined ? init : { ...init, body: JSON.stringify(body) });
  if (!answer.ok) throw new Refused(answer.status, await problemOf(answer));
  const state = (answer.status === 204 ? { ways: [], session: null } : await answer.json()) as SessionState;
  csrf = state.session?.csrf_token ?? null;
  return state;
}

async function problemOf(answer: Response): Promise<Record<string, unknown>> {
  try {
    return (await answer.json()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

export const currentSession = (): Promise<SessionState> => ask("GET");
export const signIn = (token: string): Promise<SessionState> => ask("POST", { token });
export const signOut = (): Promise<SessionState> => ask("DELETE");
export const switchWorkspace = (id: string): Promise<SessionState> => ask("PUT", { workspace_id: id });
