import type { Alert } from "@convex-alerts/client";
import { useState } from "react";
import { Button, Section, useToast } from "../design";
import { soon } from "../design/time";
import { useLive } from "../live/LiveProvider";
import { answered } from "../rest/answered";
import { useMe } from "../session/SessionProvider";
import { useApi } from "../session/useApi";
import styles from "./AlertPage.module.css";

const HOURS = [1, 4, 24] as const;

/** For how long nobody is told of it, and whose it is. One may take it; others are assigned by the API. */
export function SnoozeAndAssign({ alert }: { alert: Alert }) {
  const api = useApi();
  const live = useLive();
  const say = useToast();
  const { may, user_id: me } = useMe();
  const [busy, setBusy] = useState(false);
  const params = { path: { alert_id: alert.id } };
  const { snoozed_until: until, snoozed_by: by, assigned_to: whose } = alert;
  const run = async (change: Promise<Alert>) => {
    setBusy(true);
    try {
      live.take(await change);
    } catch (error) {
      say(`It stays as it is. ${error instanceof Error ? error.message : String(error)}`, "problem");
    } finally {
      setBusy(false);
    }
  };
  const snooze = (end: string | null) =>
    void run(answered(api.POST("/api/v1/alerts/{alert_id}/snooze", { params, body: { until: end } })));
  const assign = (user: string | null) =>
    void run(answered(api.POST("/api/v1/alerts/{alert_id}/assign", { params, body: { user_id: user } })));
  return (
    <Section title="Snooze and assign">
      <p className={styles["muted"]}>
        {until ? `Snoozed until ${soon(until)}${by ? ` by ${by}` : ""}: nobody is told before.` : "Not snoozed."}{" "}
        {whose ? `Assigned to ${whose === me ? "you" : whose}.` : "Assigned to nobody."}
      </p>
      {may("responder") ? (
        <div className={styles["badges"]}>
          {HOURS.map((hours) => (
            <Button
              key={hours}
              size="small"
              busy={busy}
              onClick={() => snooze(new Date(Date.now() + hours * 3_600_000).toISOString())}
            >
              Snooze {hours} h
            </Button>
          ))}
          {until ? (
            <Button size="small" busy={busy} onClick={() => snooze(null)}>
              End the snooze
            </Button>
          ) : null}
          {whose === me ? null : (
            <Button size="small" busy={busy} onClick={() => assign(me)}>
              Assign to me
            </Button>
          )}
          {whose ? (
            <Button size="small" busy={busy} onClick={() => assign(null)}>
              Unassign
            </Button>
          ) : null}
        </div>
      ) : null}
    </Section>
  );
}
