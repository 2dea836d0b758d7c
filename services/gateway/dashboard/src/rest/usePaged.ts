import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import type { PageOf } from "./answered";

export interface Paged<Item> {
  /** Undefined: the first page is not there yet. */
  rows: Item[] | undefined;
  error: Error | null;
  refetch: () => unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

/** A list of which one loads further pages; it is kept fresh, in milliseconds, while the first alone is loaded. */
export function usePaged<Item>(
  key: readonly string[],
  page: (cursor: string | undefined) => Promise<PageOf<Item>>,
  { every, enabled = true }: { every?: number; enabled?: boolean } = {},
): Paged<Item> {
  const list = useInfiniteQuery({
    queryKey: key,
    enabled,
    placeholderData: keepPreviousData,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }): Promise<PageOf<Item>> => page(pageParam),
    getNextPageParam: (last: PageOf<Item>): string | undefined => last.next_cursor ?? undefined,
    refetchInterval: (query) => (every === undefined || (query.state.data?.pages.length ?? 0) > 1 ? false : every),
  });
  return {
    rows: list.data?.pages.flatMap(({ items }) => items),
    error: list.error,
    refetch: list.refetch,
    hasNextPage: list.hasNextPage,
    isFetchingNextPage: list.isFetchingNextPage,
    fetchNextPage: list.fetchNextPage,
  };
}
