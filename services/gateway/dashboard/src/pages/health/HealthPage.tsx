import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { FigureTable, Page, Problem, Section, StatusBadge } from "../../design";
import styles from "../../forms/forms.module.css";
import { ScopeSelect, useFigureScope } from "../../forms/ScopeSelect";
import { Skeleton } from "../../forms/Skeleton";
import { answered } from "../../rest/answered";
import { useFrameworkName } from "../../rest/nouns";
import type { Latency } from "../../rest/types";
import { useApi } from "../../session/useApi";
import { Card } from "./Card";
import { count, kept, milliseconds, percent } from "./figures";
import own from "./health.module.css";
import { SelfAudit } from "./SelfAudit";

const EVERY = 5000;

/** How the alert path does, in figures over all processes; lines show what came while the page is open. */
export function HealthPage() {
  const api = useApi();
  const scope = useFigureScope();
  const { data, error, refetch, dataUpdatedAt } = useQuery({
    queryKey: ["health", scope],
    refetchInterval: EVERY,
    queryFn: async () => {
      const options = { params: { query: { scope } } };
      const [health, alerts, cache, queues, sockets] = await Promise.all([
        answered(api.GET("/api/metrics/health", options)),
        answered(api.GET("/api/metrics/alerts", options)),
        answered(api.GET("/api/metrics/cache", options)),
        answered(api.GET("/api/metrics/queue", options)),
        answered(api.GET("/api/metrics/websocket", options)),
      ]);
      return { health, alerts, cache, queues, sockets };
    },
  });
  const seen = useSeen(
    scope,
    dataUpdatedAt,
    data && {
      score: data.health.score,
      p95: data.alerts.latency?.p95,
      waiting: data.queues.alert.waiting + data.queues.notification.waiting,
      hits: data.cache.recent?.hit_rate,
      clients: data.sockets.connected_clients,
    },
  );

  return (
    <Page title="Health" about="Latencies are of the last 15 minutes, counts of all time." actions={<ScopeSelect />}>
      {error ? <Problem error={error} retry={() => void refetch()} /> : null}
      {data === undefined ? (
        error ? null : (
          <Skeleton />
        )
      ) : (
        <>
          <div className={styles["cards"]}>
            <Card
              title="Score"
              figure={String(Math.round(data.health.score))}
              line={seen["score"]}
              aside={<StatusBadge status={data.health.status} />}
            >
              <ul className={own["components"]}>
                {Object.entries(data.health.components).map(([name, { score, reason }]) => (
                  <li key={name} className={own["component"]}>
                    <span>{name}</span>
                    <meter
                      min={0}
                      max={100}
                      low={51}
                      high={81}
                      optimum={100}
                      value={score}
                      aria-label={`${name}: ${score}`}
                    />
                    <span className={styles["hint"]}>{Math.round(score)}</span>
                    <span className={`${styles["hint"]} ${own["reason"]}`}>{reason}</span>
                  </li>
                ))}
              </ul>
            </Card>
            <SelfAudit audit={data.health.self_audit} />
            <Card title="Alert latency" figure={milliseconds(data.alerts.latency?.p95)} unit="p95" line={seen["p95"]}>
              <Percentiles latency={data.alerts.latency} />
              <p className={styles["hint"]}>
                {count(data.alerts.processed)} events processed, {count(data.alerts.errors)} attempts failed.
              </p>
            </Card>
            <Card
              title="Queues"
              figure={count(data.queues.alert.waiting + data.queues.notification.waiting)}
              unit="waiting"
              line={seen["waiting"]}
              aside={<StatusBadge status={data.queues.healthy ? "healthy" : "degraded"} />}
            >
              <p className={styles["hint"]}>
                {count(data.queues.failed_jobs)} in quarantine, {count(data.queues.delayed_jobs)} delayed;{" "}
                {percent(data.queues.success_rate)} ended well lately.
              </p>
            </Card>
            <Card
              title="Live feed"
              figure={count(data.sockets.connected_clients)}
              unit="sockets"
              line={seen["clients"]}
            >
              <p className={styles["hint"]}>
                {count(data.sockets.active_subscriptions)} subscriptions; {count(data.sockets.messages_sent)} frames
                sent, {count(data.sockets.messages_received)} received; {count(data.sockets.errors)} closed for a fault.
              </p>
            </Card>
            <Card title="Cache" figure={percent(data.cache.recent?.hit_rate)} unit="hits lately" line={seen["hits"]}>
              <p className={styles["hint"]}>
                {count(data.cache.hits)} hits, {count(data.cache.misses)} misses, {count(data.cache.errors)} errors.
              </p>
              {data.cache.classes ? (
                <ul className={own["components"]}>
                  {Object.entries(data.cache.classes).map(([name, { hit_rate }]) => (
                    <li key={name} className={own["component"]}>
                      <span>{name}</span>
                      <meter min={0} max={100} value={hit_rate} aria-label={`${name}: ${percent(hit_rate)} hits`} />
                      <span className={styles["hint"]}>{percent(hit_rate)}</span>
                    </li>
                  ))}
                </ul>
              ) : null}
            </Card>
            <Card
              title="Notifications"
              figure={count(sum(Object.values(data.alerts.notifications_sent)))}
              unit="delivered"
            >
              <dl className={styles["figures"]}>
                {Object.entries(data.alerts.notifications_sent).map(([kind, sent]) => (
                  <div key={kind}>
                    <dt>{kind.replaceAll("_", "-")}</dt>
                    <dd>{count(sent)}</dd>
                  </div>
                ))}
              </dl>
            </Card>
          </div>
          <Frameworks figures={data.alerts.by_framework} />
        </>
      )}
    </Page>
  );
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** The figures that were fetched while the page is open, by name; forgotten with another scope. */
function useSeen(
  scope: string,
  fetchedAt: number,
  figures: Record<string, number | null | undefined> | undefined,
): Record<string, (number | null)[]> {
  const [seen, setSeen] = useState<Record<string, (number | null)[]>>({});
  const latest = useRef(figures);
  latest.current = figures;
  // biome-ignore lint/correctness/useExhaustiveDependencies: begun anew where the scope is another
  useEffect(() => setSeen({}), [scope]);
  useEffect(() => {
    const now = latest.current;
    if (fetchedAt === 0 || now === undefined) return;
    setSeen((before) =>
      Object.fromEntries(Object.entries(now).map(([name, value]) => [name, kept(before[name] ?? [], value)])),
    );
  }, [fetchedAt]);
  return seen;
}

function Percentiles({ latency }: { latency: Latency | null }) {
  return (
    <dl className={styles["figures"]}>
      {(["p50", "p95", "p99"] as const).map((name) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{milliseconds(latency?.[name])}</dd>
        </div>
      ))}
    </dl>
  );
}

function Frameworks({ figures }: { figures: Record<string, Latency> | null }) {
  const name = useFrameworkName();
  const known = Object.entries(figures ?? {}).filter(([, { count: events }]) => events > 0);
  if (known.length === 0) return null;
  return (
    <Section title="Latency by framework">
      <FigureTable label="Latency by framework" columns={["Framework", "Events", "p50", "p95", "p99"]}>
        {known.map(([id, latency]) => (
          <tr key={id}>
            <th scope="row">{name(id)}</th>
            <td>{count(latency.count)}</td>
            <td>{milliseconds(latency.p50)}</td>
            <td>{milliseconds(latency.p95)}</td>
            <td>{milliseconds(latency.p99)}</td>
          </tr>
        ))}
      </FigureTable>
    </Section>
  );
}
