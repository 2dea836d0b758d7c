import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { countInTitle } from "../design/documentTitle";
import { useSession } from "../session/SessionProvider";
import { useApi } from "../session/useApi";
import type { Counts } from "./AlertStore";
import { Announcer } from "./Announcer";
import { showInIcon } from "./icon";
import { type Link, Live, type Loading } from "./Live";

const Context = createContext<Live | null>(null);

/** The live alerts for everything below, as long as it is there. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const api = useApi();
  const { recheck } = useSession();
  const [live, setLive] = useState<Live | null>(null);
  useEffect(() => {
    const made = new Live(api, () => void recheck());
    made.start();
    setLive(made);
    return () => made.stop();
  }, [api, recheck]);
  if (live === null) return null;
  return (
    <Context value={live}>
      <Told live={live} />
      {children}
    </Context>
  );
}

export function useLive(): Live {
  const live = useContext(Context);
  if (live === null) throw new Error("useLive is used outside of LiveProvider");
  return live;
}

export function useLink(): Link {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, live.link);
}

export function useLoading(): Loading {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, live.loading);
}

export function useCounts(): Counts {
  const { store } = useLive();
  return useSyncExternalStore(store.subscribe, store.counts);
}

/** What is told beside the page: in the window's title and icon, and to screen readers. */
function Told({ live }: { live: Live }) {
  const { firing, critical, error } = useCounts();
  const { state } = useLink();
  useEffect(() => countInTitle(firing), [firing]);
  useEffect(() => {
    const lost = state !== "connected" && state !== "connecting" && state !== "polling";
    showInIcon(lost ? "lost" : firing === 0 ? "quiet" : critical + error > 0 ? "burning" : "firing");
  }, [firing, critical, error, state]);
  return <Announcer live={live} />;
}
