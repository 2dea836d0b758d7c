import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { answered, everyPage, from, PAGE } from "../../rest/answered";
import { useApi } from "../../session/useApi";
import { learns, type RuleDraft } from "./form";

export const RANGES = [
  { value: "1", label: "1 hour" },
  { value: "6", label: "6 hours" },
  { value: "24", label: "1 day" },
  { value: "168", label: "7 days" },
] as const;

/** The metric's recent values, one series for each set of labels. */
export function useObserved(framework_id: string, metric: string, hours: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["observations", framework_id, metric, hours],
    enabled: framework_id !== "" && metric !== "",
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
    queryFn: () => {
      const since = new Date(Date.now() - Number(hours) * 3_600_000).toISOString();
      const query = { framework_id, metric, from: since, points: 720, limit: 10 };
      return answered(api.GET("/api/v1/observations", { params: { query } }));
    },
  });
}

/** What a rule that learns would have made of that time, which only the server can tell. */
export function useTried(draft: RuleDraft, hours: string) {
  const api = useApi();
  const complete = draft.framework_id !== "" && draft.metric !== "";
  const whole = draft.alert_type === "anomaly" ? draft.sensitivity !== null : draft.threshold_value !== null;
  return useQuery({
    queryKey: ["backtest", { ...draft, name: "", labels: {}, channel_ids: null }, hours],
    enabled: learns(draft.alert_type) && complete && whole,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    retry: false,
    queryFn: () => {
      const since = new Date(Date.now() - Number(hours) * 3_600_000).toISOString();
      const body = { ...draft, name: draft.name || "preview", labels: {}, channel_ids: null, from: since };
      return answered(api.POST("/api/v1/rules/backtest", { body }));
    },
  });
}

/** The metrics that a framework was observed by. */
export function useMetrics(framework_id: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["observations", framework_id, "metrics"],
    enabled: framework_id !== "",
    staleTime: 60_000,
    queryFn: () =>
      everyPage((cursor) =>
        answered(
          api.GET("/api/v1/observations/metrics", {
            params: { query: { framework_id, limit: PAGE, ...from(cursor) } },
          }),
        ),
      ),
  });
}
