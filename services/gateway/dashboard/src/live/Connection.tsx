import { useNow } from "../design";
import styles from "./Connection.module.css";
import type { Link } from "./Live";
import { useLink, useLive } from "./LiveProvider";

/** How the page stands with the server, in words. What moves each second is not read out; the state is. */
export function Connection() {
  const link = useLink();
  const { retry } = useLive();
  const seconds = useNow((now) => (link.retryAt === null ? -1 : Math.max(0, Math.ceil((link.retryAt - now) / 1000))));
  const trouble = link.state !== "connected" && link.state !== "connecting";
  return (
    <div className={styles["connection"]} data-testid="connection" data-state={link.state}>
      <span className={styles["dot"]} aria-hidden="true" />
      <span role="status">{words(link)}</span>
      {seconds >= 0 ? <span>in {seconds} s</span> : null}
      {trouble && link.state !== "stale" ? (
        <button type="button" className={styles["again"]} onClick={retry}>
          Retry now
        </button>
      ) : null}
    </div>
  );
}

function words({ state, problem }: Link): string {
  switch (state) {
    case "connecting":
      return "Connecting…";
    case "connected":
      return "Live";
    case "stale":
      return "Stale: the store is away";
    case "reconnecting":
      return "Reconnecting";
    case "polling":
      return "Every few seconds: no live feed";
    case "offline":
      return "Offline";
    case "failed":
      return "No live updates";
    case "refused":
      return `No live updates: ${problem ?? "refused"}`;
  }
}
