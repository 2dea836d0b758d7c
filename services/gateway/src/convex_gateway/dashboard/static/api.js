// The REST API and the session. The browser holds the session's cookie, which no script can read, and nothing else.

let csrf = null;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(method, url, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method === "POST" && url.startsWith("/api/")) headers["Idempotency-Key"] = key();
  let response;
  try {
    response = await fetch(url, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
      credentials: "same-origin", signal: AbortSignal.timeout(15000),
    });
  } catch {
    throw new Refused(0, "The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.detail ?? answer.title ?? `The server answered ${response.status}.`);
  return answer;
}

async function call(method, path, body) {
  const before = csrf;
  try {
    return await request(method, `/api/v1${path}`, body);
  } catch (error) {
    // Another tab may have signed in anew, and perhaps as somebody else: this one starts over then.
    if (error.status === 403 && method !== "GET") {
      await session();
      if (csrf !== before) location.reload();
    }
    throw error;
  }
}

async function state(answer) {
  const told = await answer;
  csrf = told.session?.csrf_token ?? null;
  return told;
}

export const session = () => state(request("GET", "/auth/session"));
export const signIn = (token) => state(request("POST", "/auth/session", { token }));
export const switchTo = (workspace) => state(request("PUT", "/auth/session", { workspace_id: workspace }));
export const signOut = () => request("DELETE", "/auth/session");

function key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function pages(path, most) {
  const items = [];
  let page;
  let cursor = null;
  let first = null;
  do {
    page = await call("GET", path + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""));
    first ??= page;
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return { items, epoch: first.epoch, offset: first.offset };
}

export const frameworks = () => pages("/frameworks?limit=200", 2000);
export const alert = (id) => call("GET", `/alerts/${encodeURIComponent(id)}`);
export const timeline = (id) => pages(`/alerts/${encodeURIComponent(id)}/timeline?limit=200`, 1000);
export const acknowledge = (id) => call("POST", `/alerts/${encodeURIComponent(id)}/acknowledge`, {});
export const resolve = (id, notes) => call("POST", `/alerts/${encodeURIComponent(id)}/resolve`, notes ? { notes } : {});

// Everything that is open and what was resolved last; the feed is to be followed from the older of the two positions.
export async function alerts() {
  const open = await pages("/alerts?status=firing&status=acknowledged&limit=200", 2000);
  const resolved = await pages("/alerts?status=resolved&limit=200", 200);
  return { items: [...resolved.items, ...open.items], epoch: open.epoch, offset: open.offset };
}
