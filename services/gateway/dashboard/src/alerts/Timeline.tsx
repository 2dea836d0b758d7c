import type { Alert } from "@convex-alerts/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useMemo } from "react";
import { classes, EmptyState, Loading, moment, Problem, Section, StatusBadge, TimeAgo } from "../design";
import { useLive } from "../live/LiveProvider";
import { answered, everyPage, from } from "../rest/answered";
import { useApi } from "../session/useApi";
import { CommentForm } from "./CommentForm";
import { type Moment, momentsOf } from "./reasons";
import styles from "./Timeline.module.css";

const AGAIN = 1500;

/** Everything that happened with an alert; the answer to "why did, or didn't, I get this?" */
export function useTimeline(id: string) {
  const api = useApi();
  const live = useLive();
  const query = useQuery({
    queryKey: ["alerts", id, "timeline"],
    queryFn: () =>
      everyPage((cursor) =>
        answered(
          api.GET("/api/v1/alerts/{alert_id}/timeline", {
            params: { path: { alert_id: id }, query: { limit: 200, ...from(cursor) } },
          }),
        ),
      ),
    // Deliveries go on after the alert's last change.
    refetchInterval: 15_000,
  });
  const { refetch } = query;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = live.onChange(({ data }) => {
      if (data.id !== id) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        void refetch();
      }, AGAIN);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [live, id, refetch]);
  return query;
}

export function Timeline({ alert }: { alert: Alert }) {
  const { data, error, refetch } = useTimeline(alert.id);
  const moments = useMemo(() => (data ? momentsOf(data) : undefined), [data]);
  return (
    <Section title="What happened, and why">
      {error && moments === undefined ? <Problem error={error} retry={() => void refetch()} /> : null}
      {moments === undefined ? (
        error ? null : (
          <Loading />
        )
      ) : moments.length === 0 ? (
        <EmptyState title="The log of this alert is no longer kept" />
      ) : null}
      <ol className={styles["timeline"]}>
        {moments?.map((one) => (
          <Entry key={one.id} moment={one} alertId={alert.id} />
        ))}
      </ol>
      <CommentForm alert={alert} onDone={() => void refetch()} />
    </Section>
  );
}

function Entry({ moment: one, alertId }: { moment: Moment; alertId: string }) {
  return (
    <li className={classes(styles["entry"], styles[one.weight])}>
      <span className={styles["time"]} title={moment(one.at)}>
        <TimeAgo time={one.at} suffix=" ago" />
      </span>
      <div className={styles["words"]}>
        <p>
          <strong>{one.title}</strong>
          {one.count > 1 ? <span className={styles["muted"]}> ×{one.count.toLocaleString()}</span> : null}
          {one.why ? `: ${one.why}.` : null}
        </p>
        {one.notes ? <p className={styles["notes"]}>{one.notes}</p> : null}
        {one.deliveries.length > 0 ? (
          <ul className={styles["deliveries"]}>
            {one.deliveries.map((delivery) => {
              const attempts = one.attempts.filter((attempt) => attempt.delivery_id === delivery.id);
              return (
                <li key={delivery.id}>
                  <div className={styles["delivery"]}>
                    <StatusBadge status={delivery.status} />
                    <Link to="/deliveries" search={{ alert: alertId, id: delivery.id } as never}>
                      {delivery.channel_name}
                    </Link>
                    <span className={styles["muted"]}>{delivery.channel_kind.replaceAll("_", " ")}</span>
                  </div>
                  {attempts.length > 0 ? (
                    <ol className={styles["attempts"]}>
                      {attempts.map((attempt) => (
                        <li key={attempt.id}>
                          <span className={styles["muted"]}>attempt {attempt.number}</span>{" "}
                          {attempt.outcome.replaceAll("_", " ")}
                          {attempt.status_code === null ? "" : `, HTTP ${attempt.status_code}`}
                          <span className={styles["muted"]}>
                            {" "}
                            in {Math.round(attempt.duration_ms).toLocaleString()} ms
                          </span>
                          {attempt.error ? <span className={styles["fault"]}> {attempt.error}</span> : null}
                        </li>
                      ))}
                    </ol>
                  ) : null}
                </li>
              );
            })}
          </ul>
        ) : null}
      </div>
    </li>
  );
}
