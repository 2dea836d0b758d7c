import { briefly, moment, StatusBadge, useNow } from "../../design";
import styles from "../../forms/forms.module.css";
import type { SelfAuditReport } from "../../rest/types";
import { Card } from "./Card";
import { milliseconds } from "./figures";
import own from "./health.module.css";

/** Whether an alert of the installation's own comes through the whole path: when one did last, and how far the last came. */
export function SelfAudit({ audit }: { audit: SelfAuditReport }) {
  const { status, about, last_passed_at: passed, last_run_at: ran, failed_stage: failed, reason } = audit;
  const ago = useNow((now) => (passed ? briefly(now - Date.parse(passed)) : "–"));
  const stages = Object.entries(audit.stages);
  const slowest = Math.max(1, ...stages.map(([, took]) => took ?? 0));
  return (
    <Card
      title="Self-audit"
      figure={ago}
      unit={passed ? "since the whole path was proved" : "the whole path was never proved"}
      aside={<StatusBadge status={status} />}
    >
      <p>{about}</p>
      {ran ? (
        <>
          <p className={styles["hint"]}>
            The last run ended {moment(ran)}.{reason ? ` ${reason}` : ""}
          </p>
          <ul className={own["components"]} aria-label="Stages of the last run">
            {stages.map(([stage, took]) => (
              <li key={stage} className={own["component"]}>
                <span>{stage}</span>
                {took === null ? (
                  <span />
                ) : (
                  <meter min={0} max={slowest} value={took} aria-label={`${stage}: ${milliseconds(took)}`} />
                )}
                <span className={stage === failed ? styles["error"] : styles["hint"]}>
                  {took === null ? (stage === failed ? "failed here" : "not reached") : milliseconds(took)}
                </span>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </Card>
  );
}
