import { Button } from "../design";

interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

/** Fetches the next page of a list, where there is one. */
export function More({ list }: { list: Paged }) {
  if (!list.hasNextPage) return null;
  return (
    <Button size="small" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
      {list.isFetchingNextPage ? "Loading…" : "Load more"}
    </Button>
  );
}
