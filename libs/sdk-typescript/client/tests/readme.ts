import { type Alert, createApi } from "../src/index.ts";

const api = createApi({ baseUrl: "https://alerts.example.com", token: async () => await freshToken() });

export async function acknowledge(alert: Alert): Promise<Alert> {
  const { data, error } = await api.POST("/api/v1/alerts/{alert_id}/acknowledge", {
    params: { path: { alert_id: alert.id }, header: { "Idempotency-Key": `acknowledge-${alert.id}-${alert.version}` } },
  });
  if (error) throw new Error(error.detail ?? error.title);
  return data;
}

declare function freshToken(): Promise<string>;
