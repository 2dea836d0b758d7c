import type { Alert, components } from "@convex-alerts/client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Section, useToast } from "../design";
import { useLive } from "../live/LiveProvider";
import { answered } from "../rest/answered";
import { useMe } from "../session/SessionProvider";
import { useApi } from "../session/useApi";
import styles from "./AlertPage.module.css";

type Given = components["schemas"]["Verdict"];

const VERDICTS: readonly (readonly [Given, string])[] = [
  ["useful", "Useful"],
  ["false_alarm", "False alarm"],
];

/** Was it worth being told? What people said, and one's own word, which may be changed. */
export function Verdict({ alert }: { alert: Alert }) {
  const api = useApi();
  const live = useLive();
  const say = useToast();
  const { may, user_id: me } = useMe();
  const [busy, setBusy] = useState(false);
  const { useful, false_alarm: falseAlarm } = alert.verdicts;
  const mayJudge = may("responder");
  const params = { path: { alert_id: alert.id } };
  const own = useQuery({
    queryKey: ["alerts", alert.id, "verdicts", useful, falseAlarm],
    enabled: mayJudge && useful + falseAlarm > 0,
    placeholderData: (before) => before,
    queryFn: () =>
      answered(api.GET("/api/v1/alerts/{alert_id}/verdicts", { params: { ...params, query: { limit: 200 } } })),
  });
  const mine = own.data?.items.find(({ user_id }) => user_id === me)?.verdict;
  const judge = async (verdict: Given) => {
    setBusy(true);
    try {
      live.take(await answered(api.POST("/api/v1/alerts/{alert_id}/verdict", { params, body: { verdict } })));
    } catch (error) {
      say(`Your verdict was not taken. ${error instanceof Error ? error.message : String(error)}`, "problem");
    } finally {
      setBusy(false);
    }
  };
  return (
    <Section title="Was it worth being told?">
      {mayJudge ? (
        <div className={styles["badges"]}>
          {VERDICTS.map(([verdict, name]) => (
            <Button
              key={verdict}
              size="small"
              kind={mine === verdict ? "primary" : "plain"}
              aria-pressed={mine === verdict}
              busy={busy}
              onClick={() => void judge(verdict)}
            >
              {name}
            </Button>
          ))}
        </div>
      ) : null}
      <p className={styles["muted"]}>
        {useful + falseAlarm === 0 ? "Nobody has said so far." : `${useful} useful, ${falseAlarm} false alarm.`}
      </p>
    </Section>
  );
}
