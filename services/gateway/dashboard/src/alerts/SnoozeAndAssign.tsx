import type { Alert } from "@convex-alerts/client";
import { useState } from "react";
import { Button, Section } from "../design";
import { soon } from "../design/time";
import type { Action, Deed } from "../live/deeds";
import { useAct } from "../live/useAct";
import { useMe } from "../session/SessionProvider";
import styles from "./AlertPage.module.css";

const HOURS = [1, 4, 24] as const;

/** For how long nobody is told of it, and whose it is; `onAsk` asks for any other end, or for a member. */
export function SnoozeAndAssign({ alert, onAsk }: { alert: Alert; onAsk: (action: Action) => void }) {
  const act = useAct();
  const { may, user_id: me, name } = useMe();
  const [busy, setBusy] = useState(false);
  const { snoozed_until: until, snoozed_by: by, assigned_to: whose } = alert;
  const run = (deed: Deed) => {
    setBusy(true);
    void act(deed, [alert.id]).finally(() => setBusy(false));
  };
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
              onClick={() => run({ action: "snooze", until: new Date(Date.now() + hours * 3_600_000).toISOString() })}
            >
              Snooze {hours} h
            </Button>
          ))}
          <Button size="small" aria-keyshortcuts="s" onClick={() => onAsk("snooze")}>
            Snooze…
          </Button>
          {until ? (
            <Button size="small" busy={busy} onClick={() => run({ action: "snooze", until: null })}>
              End the snooze
            </Button>
          ) : null}
          {whose === me ? null : (
            <Button size="small" busy={busy} onClick={() => run({ action: "assign", to: { user_id: me, name } })}>
              Assign to me
            </Button>
          )}
          <Button size="small" aria-keyshortcuts="m" onClick={() => onAsk("assign")}>
            Assign…
          </Button>
          {whose ? (
            <Button size="small" busy={busy} onClick={() => run({ action: "assign", to: null })}>
              Unassign
            </Button>
          ) : null}
        </div>
      ) : null}
    </Section>
  );
}
