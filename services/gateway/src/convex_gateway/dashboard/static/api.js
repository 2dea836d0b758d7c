// The REST API, with the token of this tab.

const KEY = "convex.token";

export const credentials = {
  get: () => sessionStorage.getItem(KEY),
  set: (token) => sessionStorage.setItem(KEY, token),
  clear: () => sessionStorage.removeItem(KEY),
  // A token in the fragment never reaches a server or a log; it leaves the address bar and the history at once.
  takeFromAddress() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (token === null) return;
    history.replaceState(null, "", location.pathname + location.search);
    if (token) credentials.set(token.trim());
  },
};

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${credentials.get()}`, Accept: "application/json" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    headers["Idempotency-Key"] = key();
  }
  let response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
      signal: AbortSignal.timeout(15000),
    });
  } catch {
    throw new Refused(0, "The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.detail ?? answer.title ?? `The server answered ${response.status}.`);
  return answer;
}

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

export const me = () => call("GET", "/me");
export const frameworks = () => pages("/frameworks?limit=200", 2000);
export const timeline = (id) => pages(`/alerts/${encodeURIComponent(id)}/timeline?limit=200`, 1000);
export const acknowledge = (id) => call("POST", `/alerts/${encodeURIComponent(id)}/acknowledge`, {});
export const resolve = (id, notes) => call("POST", `/alerts/${encodeURIComponent(id)}/resolve`, notes ? { notes } : {});

// Everything that is open and what was resolved last; the feed is to be followed from the older of the two positions.
export async function alerts() {
  const open = await pages("/alerts?status=firing&status=acknowledged&limit=200", 2000);
  const resolved = await pages("/alerts?status=resolved&limit=200", 200);
  return { items: [...resolved.items, ...open.items], epoch: open.epoch, offset: open.offset };
}
