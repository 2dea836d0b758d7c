import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useApi } from "../session/useApi";
import { answered, everyPage, from, PAGE } from "./answered";

/** What several pages look at. The keys begin with the noun, so that a change makes all that is of it stale. */
export function useFrameworks() {
  const api = useApi();
  return useQuery({
    queryKey: ["frameworks"],
    staleTime: 60_000,
    queryFn: () =>
      everyPage((cursor) =>
        answered(api.GET("/api/v1/frameworks", { params: { query: { limit: PAGE, ...from(cursor) } } })),
      ),
  });
}

/** Names of frameworks by id; an id that is not known stays itself. */
export function useFrameworkName(): (id: string) => string {
  const { data } = useFrameworks();
  return useMemo(() => {
    const names = new Map(data?.map(({ id, name }) => [id, name]));
    return (id) => names.get(id) ?? id;
  }, [data]);
}

export function useRules() {
  const api = useApi();
  return useQuery({
    queryKey: ["rules"],
    refetchInterval: 60_000,
    queryFn: () =>
      everyPage((cursor) =>
        answered(api.GET("/api/v1/rules", { params: { query: { limit: PAGE, ...from(cursor) } } })),
      ),
  });
}

export function useChannels() {
  const api = useApi();
  return useQuery({
    queryKey: ["channels"],
    refetchInterval: 60_000,
    queryFn: () =>
      everyPage((cursor) =>
        answered(api.GET("/api/v1/channels", { params: { query: { limit: PAGE, ...from(cursor) } } })),
      ),
  });
}

/** Makes all that is known of these nouns stale; resolves when what is on the page is fresh. */
export function useStale(): (...nouns: string[]) => Promise<void> {
  const queries = useQueryClient();
  return useCallback(
    async (...nouns) => {
      await Promise.all(nouns.map((noun) => queries.invalidateQueries({ queryKey: [noun] })));
    },
    [queries],
  );
}
