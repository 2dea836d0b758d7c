import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./openapi.generated.ts";
import { type TokenSource, tokenOf } from "./token.ts";

export type Api = Client<paths>;

export interface ApiOptions {
  /** Where the gateway is, `https://alerts.example.com`. In a page that it serves: its own origin. */
  baseUrl?: string;
  /** A JWT or an API key, or what gives one. Without it the page's cookie signs in. */
  token?: TokenSource;
  fetch?: (request: Request) => Promise<Response>;
  /** Headers of every request, such as a session's `X-CSRF-Token`; a function is asked each time. */
  headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
}

const CHANGES = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/**
 * The REST API, typed: `const { data, error } = await api.GET("/api/v1/alerts")`.
 *
 * Every change carries an `Idempotency-Key`, so that the very same `Request` can be sent again without being done twice.
 */
export function createApi(options: ApiOptions = {}): Api {
  const { token, headers, baseUrl, fetch } = options;
  const api = createClient<paths>({
    ...(baseUrl === undefined ? {} : { baseUrl: baseUrl.replace(/\/+$/, "") }),
    ...(fetch === undefined ? {} : { fetch }),
  });
  api.use({
    async onRequest({ request }) {
      if (token !== undefined) request.headers.set("Authorization", `Bearer ${await tokenOf(token)}`);
      for (const [name, value] of Object.entries(typeof headers === "function" ? headers() : (headers ?? {}))) {
        request.headers.set(name, value);
      }
      const changes = CHANGES.has(request.method) && new URL(request.url).pathname.includes("/api/v1/");
      if (changes && !request.headers.has("Idempotency-Key")) request.headers.set("Idempotency-Key", newKey());
      return request;
    },
  });
  return api;
}

/** 128 random bits. `crypto.randomUUID` is absent from pages that are not served over HTTPS. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
