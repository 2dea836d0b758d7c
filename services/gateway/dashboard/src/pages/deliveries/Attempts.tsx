import { Badge, TimeAgo } from "../../design";
import styles from "../../forms/forms.module.css";
import type { Attempt } from "../../rest/types";
import own from "./deliveries.module.css";

/** The ledger of a delivery: each try, what came back, how long it took. */
export function Attempts({ attempts }: { attempts: readonly Attempt[] }) {
  if (attempts.length === 0) return <p className={styles["hint"]}>It was not tried yet.</p>;
  return (
    <ol className={own["attempts"]}>
      {attempts.map((attempt) => (
        <li key={attempt.id} className={own["attempt"]}>
          <span className={styles["buttons"]}>
            <strong>{attempt.number}.</strong>
            <Badge tone={attempt.outcome === "delivered" ? "good" : "error"}>
              {attempt.outcome.replaceAll("_", " ")}
            </Badge>
            {attempt.status_code === null ? null : <code>{attempt.status_code}</code>}
            <span className={styles["hint"]}>
              <TimeAgo time={attempt.started_at} suffix=" ago" />, took {took(attempt.duration_ms)}
            </span>
          </span>
          {attempt.error ? <p className={styles["error"]}>{attempt.error}</p> : null}
          {attempt.answer ? <pre className={own["answer"]}>{attempt.answer}</pre> : null}
        </li>
      ))}
    </ol>
  );
}

function took(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
