import { useCallback, useEffect, useRef, useState } from "react";
import type { Filter } from "../live/filter";
import type { Live } from "../live/Live";

/** What is resolved is loaded as one scrolls: there is too much of it to have it all. */
export function useOlder(live: Live, filter: Filter): { more: () => void; busy: boolean } {
  const wanted = filter.status === "resolved" || filter.status === "all";
  const [busy, setBusy] = useState(wanted);
  const next = useRef<{ filter: Filter; cursor: string | null; done: boolean; busy: boolean } | null>(null);

  const load = useCallback(async () => {
    const at = next.current;
    if (at === null || at.done || at.busy) return;
    at.busy = true;
    setBusy(true);
    try {
      at.cursor = await live.older(at.filter, at.cursor);
      at.done = at.cursor === null;
    } catch {
      // The next scroll tries again; the connection's state says what is wrong.
    } finally {
      at.busy = false;
      if (next.current === at) setBusy(false);
    }
  }, [live]);

  useEffect(() => {
    next.current = wanted ? { filter, cursor: null, done: false, busy: false } : null;
    setBusy(wanted);
    void load();
  }, [filter, wanted, load]);

  return { more: useCallback(() => void load(), [load]), busy };
}
