import type { Alert } from "@convex-alerts/client";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useMemo, useState, useSyncExternalStore } from "react";
import { useShortcuts } from "../app/useShortcuts";
import {
  Button,
  buttonClass,
  duration,
  EmptyState,
  Facts,
  Loading,
  moment,
  Page,
  Problem,
  Section,
  SeverityBadge,
  StatusBadge,
  TimeAgo,
  useNow,
} from "../design";
import { matchersOf, written } from "../forms/matchers";
import { type Action, isPossible } from "../live/deeds";
import { ORDERS } from "../live/filter";
import { useLive } from "../live/LiveProvider";
import { useAct } from "../live/useAct";
import { number, words } from "../live/words";
import { answered } from "../rest/answered";
import { useFrameworkName } from "../rest/nouns";
import { useMe } from "../session/SessionProvider";
import { Refused } from "../session/session";
import { useApi } from "../session/useApi";
import styles from "./AlertPage.module.css";
import { type Asking, DeedDialogs } from "./DeedDialogs";
import { SnoozeAndAssign } from "./SnoozeAndAssign";
import { Timeline } from "./Timeline";
import { Verdict } from "./Verdict";

const ValueChart = lazy(() => import("./ValueChart").then((module) => ({ default: module.ValueChart })));
const RELATED = 8;

/** One alert: what it is, what can be done, what happened with it and why. */
export function AlertPage() {
  const { id } = useParams({ from: "/alerts/$id" });
  const { alert, error, retry } = useAlert(id);
  if (alert !== undefined) return <Shown alert={alert} key={id} />;
  if (error instanceof Refused && (error.status === 404 || error.status === 422)) {
    return (
      <Page title="There is no such alert">
        <EmptyState title="It is not in this workspace, or no longer kept" action={<Link to="/">All alerts</Link>} />
      </Page>
    );
  }
  return <Page title="Alert">{error ? <Problem error={error} retry={retry} /> : <Loading />}</Page>;
}

/** The alert, live: from the list where it is there, else by REST, and followed by the feed either way. */
function useAlert(id: string) {
  const api = useApi();
  const live = useLive();
  const alert = useSyncExternalStore(
    live.store.subscribe,
    useCallback(() => live.store.get(id), [live, id]),
  );
  const { data, error, refetch } = useQuery({
    queryKey: ["alerts", id],
    queryFn: async () => {
      const found = await answered(api.GET("/api/v1/alerts/{alert_id}", { params: { path: { alert_id: id } } }));
      live.take(found);
      return found;
    },
  });
  return { alert: alert ?? data, error, retry: () => void refetch() };
}

function Shown({ alert }: { alert: Alert }) {
  const { may } = useMe();
  const act = useAct();
  const navigate = useNavigate();
  const frameworkName = useFrameworkName();
  const [asking, setAsking] = useState<Asking | null>(null);
  const mayAct = may("responder");
  const run = (action: Action) => {
    if (!mayAct || !isPossible(action, alert)) return;
    if (action === "acknowledge") void act({ action }, [alert.id]);
    else setAsking(action);
  };
  useShortcuts([
    { keys: "a", says: "Acknowledge", group: "This alert", run: () => run("acknowledge") },
    { keys: "r", says: "Resolve", group: "This alert", run: () => run("resolve") },
    { keys: "s", says: "Snooze", group: "This alert", run: () => run("snooze") },
    { keys: "m", says: "Assign to a member", group: "This alert", run: () => run("assign") },
    { keys: "Escape", says: "Back to the list", group: "This alert", run: () => void navigate({ to: "/" }) },
  ]);
  const labels = Object.entries(alert.labels);
  return (
    <Page
      title={alert.title}
      back={<Link to="/">← All alerts</Link>}
      about={
        <span className={styles["badges"]} data-status={alert.status} data-testid="alert">
          <SeverityBadge severity={alert.severity} />
          <StatusBadge status={alert.status} />
          <State alert={alert} />
        </span>
      }
      actions={
        mayAct ? (
          <>
            {isPossible("acknowledge", alert) ? (
              <Button kind="primary" onClick={() => run("acknowledge")} aria-keyshortcuts="a">
                Acknowledge
              </Button>
            ) : null}
            {isPossible("resolve", alert) ? (
              <Button onClick={() => run("resolve")} aria-keyshortcuts="r">
                Resolve…
              </Button>
            ) : null}
            {alert.status === "resolved" ? null : (
              <Link
                to="/silences/new"
                search={{ matcher: matchersOf(alert).map(written) } as never}
                className={buttonClass()}
              >
                Silence…
              </Link>
            )}
          </>
        ) : null
      }
    >
      <div className={styles["columns"]}>
        <div className={styles["main"]}>
          <div className={styles["value"]}>
            <span className={styles["number"]}>{number(alert.current_value)}</span>
            {alert.threshold_value === null ? null : (
              <span className={styles["muted"]}>threshold {number(alert.threshold_value)}</span>
            )}
          </div>
          <Suspense fallback={<Loading what="Loading the chart…" />}>
            <ValueChart alert={alert} />
          </Suspense>
          <Timeline alert={alert} />
        </div>
        <aside className={styles["aside"]} aria-label="Details">
          <Section title="Details">
            <Facts
              facts={[
                [
                  "Framework",
                  <Link key="f" to="/" search={{ framework: alert.framework_id }}>
                    {frameworkName(alert.framework_id)}
                  </Link>,
                ],
                [
                  "Rule",
                  alert.rule_id ? (
                    <Link key="r" to="/rules/$id" params={{ id: alert.rule_id }}>
                      {alert.rule_name}
                    </Link>
                  ) : (
                    alert.rule_name
                  ),
                ],
                ["Type", words(alert.alert_type)],
                ["Fired", <Moment key="t" time={alert.triggered_at} />],
                ["Last seen", <Moment key="s" time={alert.last_seen_at} />],
                ["Occurrences", alert.occurrences.toLocaleString()],
                [
                  "Acknowledged",
                  alert.acknowledged_at ? (
                    <Moment key="a" time={alert.acknowledged_at} by={alert.acknowledged_by} />
                  ) : null,
                ],
                [
                  "Resolved",
                  alert.resolved_at ? (
                    <Moment key="e" time={alert.resolved_at} by={alert.resolved_by ?? "itself"} />
                  ) : null,
                ],
                [
                  "Notes",
                  alert.resolution_notes ? (
                    <span key="n" className={styles["notes"]}>
                      {alert.resolution_notes}
                    </span>
                  ) : null,
                ],
                [
                  "Deliveries",
                  <Link key="d" to="/deliveries" search={{ alert: alert.id } as never}>
                    All of this alert
                  </Link>,
                ],
              ]}
            />
          </Section>
          {alert.status === "resolved" ? null : <SnoozeAndAssign alert={alert} onAsk={run} />}
          <Verdict alert={alert} />
          {labels.length > 0 ? (
            <Section title="Labels">
              <ul className={styles["labels"]}>
                {labels.map(([name, value]) => (
                  <li key={name}>
                    <Link to="/" search={{ q: `${name}=${value}` }}>
                      {name}={value}
                    </Link>
                  </li>
                ))}
              </ul>
            </Section>
          ) : null}
          {Object.keys(alert.context).length > 0 ? (
            <Section title="Context">
              <pre className={styles["context"]}>{JSON.stringify(alert.context, null, 2)}</pre>
            </Section>
          ) : null}
          <Related alert={alert} />
        </aside>
      </div>
      <DeedDialogs
        alerts={[alert]}
        asking={asking}
        onClose={() => setAsking(null)}
        onDeed={(deed) => void act(deed, [alert.id])}
      />
    </Page>
  );
}

/** Where it stands, in a sentence. */
function State({ alert }: { alert: Alert }) {
  const began = Date.parse(alert.triggered_at);
  const ended = alert.resolved_at === null ? null : Date.parse(alert.resolved_at);
  const lasted = useNow((now) => duration((ended ?? now) - began));
  if (ended !== null) {
    return (
      <span>
        lasted {lasted}, resolved by {alert.resolved_by ?? "itself"}
      </span>
    );
  }
  return (
    <span>
      for {lasted}
      {alert.status === "acknowledged"
        ? `, acknowledged by ${alert.acknowledged_by ?? "somebody"}`
        : ", nobody has acknowledged it"}
    </span>
  );
}

function Moment({ time, by }: { time: string; by?: string | null }) {
  return (
    <>
      {moment(time)}{" "}
      <span className={styles["muted"]}>
        (<TimeAgo time={time} suffix=" ago" />)
      </span>
      {by ? ` by ${by}` : ""}
    </>
  );
}

/** What else burns in the same framework. */
function Related({ alert }: { alert: Alert }) {
  const live = useLive();
  const { framework_id: framework, id } = alert;
  const list = useSyncExternalStore(live.store.subscribe, live.store.list);
  // biome-ignore lint/correctness/useExhaustiveDependencies: looked for anew as the list changes
  const related = useMemo(
    () =>
      live.store
        .openOf(framework)
        .filter((one) => one.id !== id)
        .sort(ORDERS.severity),
    [live, framework, id, list],
  );
  const [open, setOpen] = useState(false);
  if (related.length === 0) return null;
  return (
    <Section title={`Also open in this framework (${related.length})`}>
      <ul className={styles["related"]}>
        {related.slice(0, open ? 100 : RELATED).map((one) => (
          <li key={one.id}>
            <SeverityBadge severity={one.severity} />
            <Link to="/alerts/$id" params={{ id: one.id }}>
              {one.title}
            </Link>
          </li>
        ))}
      </ul>
      {related.length > RELATED && !open ? (
        <Button size="small" kind="quiet" onClick={() => setOpen(true)}>
          Show more
        </Button>
      ) : null}
    </Section>
  );
}
