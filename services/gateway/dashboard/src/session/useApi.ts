import { type Api, createApi } from "@convex-alerts/client";
import { fetchSigned } from "./session";

const api = createApi({ baseUrl: location.origin, fetch: fetchSigned });

/** The REST API, signed in by the session's cookie. */
export const useApi = (): Api => api;
