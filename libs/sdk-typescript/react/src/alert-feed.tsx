import { type Alert, type AlertSocketOptions, createApi, type Position, type TokenSource } from "@convex-alerts/client";
import { type ReactElement, useCallback, useEffect, useRef, useState } from "react";
import { Status } from "./status.tsx";
import { tokenNow } from "./token.ts";
import { useAlertWebSocket } from "./use-alert-web-socket.ts";

export interface AlertFeedProps {
  baseUrl?: string | undefined;
  workspaceId?: string | undefined;
  frameworkId?: string | undefined;
  token?: TokenSource | undefined;
  /** How many alerts are shown (50), those that changed last first; 200 at most. */
  max?: number | undefined;
  /** The list's name for screen readers. */
  label?: string | undefined;
  /** Makes each alert a button. */
  onSelect?: ((alert: Alert) => void) | undefined;
  className?: string | undefined;
  socket?: AlertSocketOptions | undefined;
}

const MOST = 200;

/**
 * The open alerts, live: read by REST once, then followed from there. It renders text alone, whatever alerts contain,
 * and brings no style: `data-severity` and `data-status` are for yours.
 */
export function AlertFeed(props: AlertFeedProps): ReactElement {
  const { baseUrl, frameworkId, label = "Alerts", onSelect, className, socket } = props;
  const max = Math.max(1, Math.min(props.max ?? 50, MOST));
  const token = useRef(props.token);
  useEffect(() => {
    token.current = props.token;
  });
  const byToken = props.token !== undefined;
  const fetcher = socket?.fetch;
  const [alerts, setAlerts] = useState<readonly Alert[]>([]);
  const [since, setSince] = useState<Position>();
  const [isMissing, setIsMissing] = useState(false);
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((number) => number + 1), []);

  useEffect(() => {
    const reading = new AbortController();
    const api = createApi({
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(fetcher === undefined ? {} : { fetch: fetcher }),
      ...(byToken ? { token: async () => tokenNow(token.current) } : {}),
    });
    const query = { status: ["firing", "acknowledged"] as ("firing" | "acknowledged")[], limit: max };
    api
      .GET("/api/v1/alerts", {
        params: { query: { ...query, ...(frameworkId === undefined ? {} : { framework_id: frameworkId }) } },
        signal: reading.signal,
      })
      .then(({ data }) => {
        if (reading.signal.aborted) return;
        setIsMissing(data === undefined);
        if (data === undefined) return;
        setAlerts((before) => data.items.reduceRight(merged(max), round === 0 ? [] : stillOpen(before, data.items)));
        setSince((known) => known ?? { epoch: data.epoch, offset: data.offset });
      })
      .catch(() => {
        if (!reading.signal.aborted) setIsMissing(true);
      });
    return () => reading.abort();
  }, [baseUrl, frameworkId, byToken, fetcher, max, round]);

  const { state, error } = useAlertWebSocket({
    baseUrl,
    frameworkId,
    workspaceId: props.workspaceId,
    token: props.token,
    since,
    enabled: since !== undefined,
    socket,
    onAlert: ({ data }) => setAlerts((before) => merged(max)(before, data)),
    onGap: reload,
  });

  return (
    <section className={className} aria-label={label}>
      <Status state={state} />
      {isMissing && (
        <p role="alert">
          The alerts could not be read.{" "}
          <button type="button" onClick={reload}>
            Try again
          </button>
        </p>
      )}
      {error?.final && <p role="alert">{error.message}</p>}
      {since !== undefined && alerts.length === 0 ? <p>No open alerts.</p> : null}
      <ul aria-live="polite" aria-relevant="additions">
        {alerts.map((alert) => (
          <li key={alert.id} data-severity={alert.severity} data-status={alert.status}>
            {onSelect === undefined ? (
              <Summary alert={alert} />
            ) : (
              <button type="button" onClick={() => onSelect(alert)}>
                <Summary alert={alert} />
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Summary({ alert }: { alert: Alert }): ReactElement {
  return (
    <>
      <strong>{alert.severity}</strong> <span>{alert.title}</span> <span>{alert.status}</span>{" "}
      <time dateTime={alert.last_seen_at}>{new Date(alert.last_seen_at).toLocaleString()}</time>
    </>
  );
}

/** With this alert in front, unless a newer version of it is there already; what is resolved leaves the list. */
function merged(max: number): (alerts: readonly Alert[], alert: Alert) => readonly Alert[] {
  return (alerts, alert) => {
    const known = alerts.find((one) => one.id === alert.id);
    if (known !== undefined && known.version >= alert.version) return alerts;
    const others = alerts.filter((one) => one.id !== alert.id);
    return alert.status === "resolved" ? others : [alert, ...others].slice(0, max);
  };
}

/** After a gap: what the list no longer has was resolved meanwhile. */
function stillOpen(before: readonly Alert[], read: readonly Alert[]): readonly Alert[] {
  const open = new Set(read.map((alert) => alert.id));
  return before.filter((alert) => open.has(alert.id));
}
